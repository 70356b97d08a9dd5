// The frame: which page is shown, how the daemon does, who may see it.

import { ask, poll } from "./api.js";
import { show, tell } from "./dialog.js";
import { foreign, make, mark, visible, write } from "./dom.js";
import * as filters from "./filters.js";
import { count, time } from "./format.js";
import * as functions from "./functions.js";
import * as mapping from "./mapping.js";
import * as mappings from "./mappings.js";
import { forget, keep, keys } from "./signing.js";
import * as theme from "./theme.js";

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const place = document.getElementById("daemon");
const known = { version: "", levers: [] };
const ever = new AbortController().signal;
const ALIVE = 5_000; // milliseconds after which a daemon that says nothing of itself is away
let leaving = new AbortController();

// --- which page -----------------------------------------------------------------------------------------------------

const PAGES = {
  "": (signal) => ["mappings", "Mappings", mappings.begin(main, signal)],
  mapping: (signal, name) => ["mappings", name, mapping.begin(main, signal, name, known.levers)],
  functions: (signal) => ["functions", "Functions", functions.begin(main, signal)],
  function: (signal, name) => ["functions", name, functions.beginOne(main, signal, name)],
  filters: (signal, name, query) => ["filters", "Filters", filters.begin(main, signal, query)],
};

const scrolled = new Map(); // how far down a page was left
let shown = "";

function go() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  scrolled.set(shown, scrollY);
  shown = location.hash;
  leaving.abort();
  leaving = new AbortController();
  main.replaceChildren();
  const [whole, query = ""] = shown.replace(/^#?\/?/, "").split("?");
  const [page, ...name] = whole.split("/").map(decoded);
  const [part, title] = (PAGES[page] ?? PAGES[""])(leaving.signal, name.join("/"), query);
  document.title = `${visible(title, 100)} – Headrace`;
  for (const link of document.querySelectorAll("[data-page]")) mark(link, "aria-current", link.dataset.page === part ? "page" : null);
  scrollTo(0, 0);
  const before = scrolled.get(shown);
  if (before && page === "") setTimeout(() => scrollTo(0, before), 150); // when its rows are there again
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// --- how the daemon does --------------------------------------------------------------------------------------------

const dot = make("i", { class: "dot" });
const word = make("span");
const version = make("span", { class: "muted" });
const more = make("button", { type: "button", class: "about-daemon", "aria-haspopup": "dialog", click: () => explain() }, dot, word);
place.append(more, version);

function explain() {
  const { ready, polling, reasons = [], since } = known;
  if (!since) return;
  const { trouble, needs_restart: late } = known.configuration ?? {};
  const told = [trouble && `The configuration was read again and is not taken: ${trouble}`, late?.length && `Only a restart takes what changed in: ${late.join(", ")}`];
  const state = polling ? "Every mapping polls." : ready ? "It is ready, but not every mapping polls well:" : "It is not ready:";
  const list = make("ul", { class: "reasons" }, ...reasons.map((reason) => make("li", {}, foreign(reason, {}, 500))));
  const configured = told.filter(Boolean).map((text) => make("p", { class: "notice" }, visible(text)));
  show("The daemon", ...configured, make("p", {}, state), list, make("p", { class: "muted" }, `Headrace ${known.version}, since ${time(since)}`));
}

function daemon(answer) {
  if (known.version && known.version !== answer.version) return location.reload();
  Object.assign(known, answer);
  banner.hidden = true;
  document.body.classList.remove("away");
  const fault = Boolean(answer.configuration?.trouble);
  mark(dot, "class", `dot ${answer.polling && !fault ? "polling" : answer.ready ? "waiting" : "failing"}`);
  const reasons = answer.reasons.length;
  write(word, fault ? "The configuration has a fault" : answer.polling ? "All is well" : reasons ? `${count(reasons)}${reasons === 20 ? " or more" : ""} need${reasons === 1 ? "s" : ""} a look` : "Not ready");
  write(version, answer.version);
}

function away(error) {
  if (error.status === 403 || error.status === 401) return signIn(error);
  document.body.classList.add("away");
  mark(dot, "class", "dot disabled");
  write(word, "No answer");
  write(banner, error.status ? `The daemon refuses: ${visible(error.message, 300)}` : "The daemon does not answer. This page shows what it knew last, and goes on as soon as it answers.");
  banner.hidden = false;
}

// --- who may see it -------------------------------------------------------------------------------------------------

let asking = false;

/** Beyond its machine the daemon wants keys. */
function signIn(error) {
  if (asking) return;
  asking = true;
  leaving.abort();
  const wrong = keys() !== null;
  forget();
  const id = make("input", { autocomplete: "username", required: true, spellcheck: "false", id: "key" });
  const secret = make("input", { type: "password", autocomplete: "current-password", required: true, id: "secret" });
  const enter = (event) => {
    event.preventDefault();
    keep(id.value.trim(), secret.value);
    asking = false;
    go();
    itself(ever).then(daemon, away);
  };
  const form = make(
    "form",
    { class: "card sign", submit: enter },
    make("h1", {}, "This daemon wants keys"),
    make("p", {}, "It listens beyond its machine, so it shows itself to those alone who have one of its access keys (api.access_keys). The secret stays in this tab; each request is signed with it."),
    make("label", { for: "key" }, "Access key id", id),
    make("label", { for: "secret" }, "Secret access key", secret),
    make("div", { class: "buttons" }, make("button", { class: "primary" }, "Open")),
  );
  main.replaceChildren(form);
  id.focus();
  if (wrong) tell(visible(error.message, 300), "bad");
}

// --- begin ----------------------------------------------------------------------------------------------------------

theme.begin(document.getElementById("themes"));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", go);
const itself = (signal) => ask("/v1/daemon", signal, ALIVE);
const first = await itself(ever).then(daemon, away);
if (!asking) go(first);
poll((signal) => (asking ? new Promise((later) => setTimeout(later, 1000)) : itself(signal)), 2, (answer) => answer && daemon(answer), ever, away);
