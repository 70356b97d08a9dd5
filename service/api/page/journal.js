// The journal of one mapping: what became of its last records, searched by anything that stands in an entry.

import { address, ask, path, poll } from "./api.js";
import * as dialog from "./dialog.js";
import { firstLine, foreign, make, mark, table, visible, write } from "./dom.js";
import { count, many, NONE, span, tail, time } from "./format.js";

const FATES = ["invoked", "delivered", "filtered", "discarded", "returned", "abandoned"];
const SHOWN = 100;
const IDS = 3; // of one entry

export function begin(main, signal, name) {
  const place = `${path("v1", "mappings", name)}/journal`;
  const search = make("input", { type: "search", placeholder: "Id, error, request, lane …", "aria-label": "Search the journal" });
  const fate = make("select", { "aria-label": "What happened" }, make("option", { value: "" }, "everything"), ...FATES.map((each) => make("option", {}, each)));
  const found = make("span", { class: "muted" });
  const entries = table("Journal", columns(name), (entry) => [entry.at, entry.what, entry.request_id, entry.ids[0], entry.records].join(), "");
  const nothing = make("p", { class: "nothing" });
  const query = () => ({ search: search.value.trim(), fate: fate.value, limit: SHOWN, ids: IDS });

  const show = (answer) => {
    entries.show(answer.entries);
    entries.node.hidden = !answer.entries.length;
    nothing.hidden = answer.entries.length > 0;
    write(nothing, search.value || fate.value ? "Nothing in the journal is like this." : "Nothing happened to a record since the daemon’s start.");
    write(found, answer.entries.length === SHOWN ? `the newest ${SHOWN}` : "");
  };
  let at = 0;
  const again = () => {
    clearTimeout(at);
    at = setTimeout(() => ask(address(place, query()), signal).then(show, () => {}), 150);
  };
  search.addEventListener("input", again);
  fate.addEventListener("change", again);
  main.append(
    make("section", { class: "card" }, make("div", { class: "tools" }, make("h2", {}, "Journal"), found, make("span", { class: "space" }), fate, search), entries.node, nothing),
  );
  poll((until) => ask(address(place, query()), until), 3, show, signal);
}

const columns = (mapping) => [
  ["Time", "time", (cell, entry) => write(cell, time(entry.at))],
  ["What", "", (cell, entry) => fill(cell, entry.what + entry.detail, () => [make("span", { class: `fate ${entry.error ? "failed" : entry.what}` }, entry.what), entry.detail && entry.detail !== "success" ? ` ${entry.detail}` : ""])],
  ["Records", "number", (cell, entry) => write(cell, count(entry.records))],
  ["Ids", "code", (cell, entry) => fill(cell, entry.ids.join(), () => ids(mapping, entry))],
  ["Lane", "wrap", (cell, entry) => mark(write(cell, firstLine(tail(entry.lane), 80)), "title", visible(entry.lane, 500))],
  ["Took", "number", (cell, entry) => write(cell, entry.seconds === null ? NONE : span(entry.seconds))],
  ["Error", "bad", (cell, entry) => mark(write(cell, firstLine(entry.error, 200)), "title", visible(entry.error, 1000))],
];

/** Writes it anew only when it is about something else. */
function fill(cell, about, nodes) {
  if (cell.dataset.about === about) return;
  cell.dataset.about = about;
  cell.replaceChildren(...nodes());
}

function ids(mapping, { ids, records }) {
  const links = ids.map((id) => make("button", { type: "button", class: "link", title: "What became of it?", click: () => explain(mapping, id) }, foreign(id, {}, 60)));
  return records > ids.length ? [...links, make("small", {}, ` and ${count(records - ids.length)} more`)] : links;
}

async function explain(mapping, id) {
  try {
    const answer = await ask(address("/v1/explain", { id, mapping }));
    const known = answer.mappings[0];
    const life = make("ol", { class: "life" });
    for (const entry of known?.life ?? []) life.append(step(entry));
    for (const retry of known?.retrying ?? []) life.append(make("li", {}, make("b", {}, "tried again"), ` in ${span(retry.next_in)}: attempt ${retry.attempt}`));
    for (const flight of known?.in_flight ?? []) life.append(make("li", {}, make("b", {}, "in flight"), ` for ${span(flight.seconds)}: attempt ${flight.attempt}`));
    for (const [index, filter] of (known?.filters ?? []).entries()) life.append(make("li", {}, make("b", {}, `filter ${index} ${filter.matched ? "keeps" : "refuses"} it`), `: ${visible(filter.reason, 500)}`));
    if (!life.childElementCount) life.append(make("li", {}, "Nothing is known of it any more."));
    const payload = known?.record !== undefined && make("pre", {}, visible(JSON.stringify(known.record, null, 2)));
    dialog.show(foreign(id, { class: "code" }, 200), life, ...(payload ? [payload] : []));
  } catch (error) {
    dialog.tell(error.message, "bad");
  }
}

const step = (entry) =>
  make(
    "li",
    {},
    make("span", { class: "when" }, time(entry.at)),
    make("span", { class: `fate ${entry.error ? "failed" : entry.what}` }, entry.what),
    ` ${entry.detail && entry.detail !== "success" ? `${entry.detail}, ` : ""}${entry.records > 1 ? `with ${many(entry.records - 1, "other")}` : "alone"}${entry.seconds === null ? "" : `, took ${span(entry.seconds)}`}`,
    entry.error && make("pre", {}, visible(entry.error, 1000)),
  );
