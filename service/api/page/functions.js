// The functions of the mappings, and one of them with its last lines.

import { address, ask, path, poll, stream } from "./api.js";
import { firstLine, foreign, make, mark, table, visible, write } from "./dom.js";
import { count, NONE, span, time } from "./format.js";

const KEPT = 500; // lines
const EVERY = 200; // milliseconds between two changes of what is shown

export function begin(main, signal) {
  const functions = table("Functions", COLUMNS, (each) => each.name, "");
  const nothing = make(
    "div",
    { class: "empty", hidden: true },
    make("h2", {}, "No function yet"),
    make("p", {}, "A function is here as soon as an enabled mapping names it. Add a mapping to headrace.yaml, or create both through the Lambda API."),
  );
  main.append(make("div", { class: "tools" }, make("h1", {}, "Functions")), make("section", { class: "card whole" }, functions.node), nothing);
  poll(
    (until) => ask("/v1/functions", until),
    2,
    (answer) => {
      const sorted = answer.functions.sort((one, other) => one.up - other.up || (one.name < other.name ? -1 : 1));
      functions.show(sorted);
      functions.node.parentNode.hidden = !sorted.length;
      nothing.hidden = sorted.length > 0;
    },
    signal,
  );
}

const text = (pick) => (cell, item) => write(cell, pick(item));
const processes = (each) => (each.work?.cold_starts ? each.work : null);

const COLUMNS = [
  [
    "Function",
    "wide",
    (cell, each) => {
      if (!cell.firstChild) {
        const link = make("a", { href: `#${path("function", each.name)}`, class: "name" }, foreign(each.name, {}, 200));
        cell.append(make("span", { class: "title" }, make("i"), link), make("span"));
      }
      mark(cell.firstChild.firstChild, "class", `dot ${each.up ? "polling" : "failing"}`);
      write(cell.lastChild, each.up ? visible(each.what, 200) : firstLine(each.cause || "it is not known yet whether it starts"));
      mark(cell.lastChild, "class", each.up ? "about" : "about reason");
    },
  ],
  ["In flight", "number", text((each) => count(each.in_flight) + (each.limit === null ? "" : ` of ${count(each.limit)}`))],
  ["Environments", "number", text((each) => count(processes(each)?.environments))],
  ["Cold starts", "number", text((each) => count(processes(each)?.cold_starts))],
  ["Last start took", "number", text((each) => span(processes(each)?.last_init))],
  ["Invocations", "number", text((each) => count(each.work?.invocations))],
  ["Failed", "number", text((each) => count(each.work?.failures))],
  ["Last took", "number", text((each) => span(each.work?.last_seconds))],
];

// --- one of them ----------------------------------------------------------------------------------------------------

export function beginOne(main, signal, name) {
  const state = make("span", { class: "badge" });
  const reason = make("div", { class: "notice failing", hidden: true });
  const facts = make("dl", { class: "facts" });
  const platform = make("input", { type: "checkbox", id: "platform", change: () => follow() });
  const stand = make("span", { class: "muted" });
  const lines = make("ol", { class: "lines tall", tabindex: 0, "aria-label": "Lines of the log" });
  const hint = make("p", { class: "nothing" }, "It has printed nothing since the daemon’s start. What it prints during an invocation is here at once.");
  const label = make("label", { class: "check", for: "platform" }, platform, " with START, END and REPORT");
  main.append(
    make("nav", { class: "crumbs", "aria-label": "Path" }, make("a", { href: "#/functions" }, "← Functions")),
    make("div", { class: "tools" }, make("h1", {}, foreign(name, {}, 300)), state),
    reason,
    facts,
    make("section", { class: "card" }, make("div", { class: "tools" }, make("h2", {}, "Last lines"), stand, make("span", { class: "space" }), label), hint, lines),
  );
  let open = new AbortController();
  signal.addEventListener("abort", () => open.abort());
  // A browser has few connections to one daemon: those of hidden pages are for the others.
  document.addEventListener("visibilitychange", () => (document.hidden ? open.abort() : follow()), { signal });

  function follow() {
    open.abort();
    open = new AbortController();
    lines.replaceChildren();
    const plain = name.split(":")[0]; // all of its versions print under its name
    const place = address("/v1/logs", { function: plain, platform: platform.checked, follow: true });
    const anew = (error) => {
      write(stand, error ? "the daemon does not answer" : "");
      lines.replaceChildren(); // the answer begins with the last lines again
    };
    stream(place, printer(lines, hint), open.signal, anew);
  }

  const fact = (title, value) => make("div", {}, make("dt", {}, title), make("dd", {}, value));
  let known = "";
  const show = ({ each, users }) => {
    write(state, each ? (each.up ? "can start" : "cannot start") : "unused");
    mark(state, "class", `badge ${each ? (each.up ? "polling" : "failing") : "disabled"}`);
    write(reason, each ? visible(each.cause) : "No enabled mapping uses it.");
    reason.hidden = Boolean(each?.up);
    const told = [
      ["Is", each ? visible(each.what, 300) : NONE],
      ...COLUMNS.slice(1).map(([title, , fill]) => [title, each ? fill(make("i"), each).textContent : NONE]),
    ];
    const about = JSON.stringify([told, users]);
    if (about === known) return;
    known = about;
    const links = users.flatMap((user) => [make("a", { href: `#${path("mapping", user)}` }, foreign(user, {}, 100)), " "]);
    facts.replaceChildren(...told.map(([title, value]) => fact(title, value)), fact("Used by", users.length ? make("span", {}, ...links) : NONE));
  };
  const both = async (until) => {
    const [functions, mappings] = await Promise.all([ask("/v1/functions", until), ask("/v1/mappings", until)]);
    const users = mappings.mappings.filter((mapping) => mapping.function === name).map((mapping) => mapping.name);
    return { each: functions.functions.find((one) => one.name === name), users: users.slice(0, 50) };
  };
  poll(both, 2, show, signal);
  follow();
}

/** Shows lines as they come, some at a time. */
function printer(list, hint) {
  let waiting = [];
  let timer = 0;
  const flush = () => {
    timer = 0;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...waiting.map(item));
    while (list.childElementCount > KEPT) list.firstElementChild.remove();
    waiting = [];
    hint.hidden = true;
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  return (lines) => {
    waiting = [...waiting, ...lines.filter((line) => !line.missed)].slice(-KEPT);
    timer ||= setTimeout(flush, EVERY);
  };
}

const item = (line) =>
  make("li", { class: line.stream }, make("span", { class: "when", title: `request ${line.request_id || "none: it starts"}` }, time(line.at)), make("code", { dir: "auto" }, visible(line.line)));
