// One mapping: its hour, its lanes, what is in flight and what is tried again, its errors; and the levers.

import { act, address, ask, path, poll } from "./api.js";
import * as dialog from "./dialog.js";
import { firstLine, foreign, make, mark, table, visible, write } from "./dom.js";
import { brief, count, many, NONE, rate, span, tail, time } from "./format.js";
import * as journal from "./journal.js";
import { plot } from "./plot.js";
import * as tap from "./tap.js";

const RATES = [
  ["delivered", "delivered", "delivered"],
  ["fetched", "fetched", "fetched"],
  ["filtered", "filtered", "filtered"],
  ["failed", "failed", "failed"],
  ["discarded", "discarded", "discarded"],
];
const LAGS = [["lag_seconds", "behind", "lag"]];
const COUNTS = ["fetched", "delivered", "filtered", "failed", "discarded", "returned", "undecided"];

export function begin(main, signal, name, levers) {
  const here = path("v1", "mappings", name);
  const state = make("span", { class: "badge" });
  const since = make("span", { class: "muted" });
  const reason = make("div", { class: "notice", hidden: true });
  const facts = make("dl", { class: "facts" });
  const buttons = new Buttons(here, name, levers, (mapping) => show(mapping), signal);
  const rates = plot("Records a second", RATES, (value) => rate(value));
  const lags = plot("Lag", LAGS, brief, true);
  const numbers = table(
    "Records",
    [
      ["Over", "", (cell, item) => write(cell, item.what)],
      ["1 s", "number", (cell, item) => write(cell, item.rates ? rate(item.rates["1s"]) : "")],
      ["1 min", "number", (cell, item) => write(cell, item.rates ? rate(item.rates["1m"]) : "")],
      ["15 min", "number", (cell, item) => write(cell, item.rates ? rate(item.rates["15m"]) : "")],
      ["in all", "number", (cell, item) => write(cell, count(item.total))],
    ],
    (item) => item.what,
    "",
    "plain",
  );
  const lanes = table("Lanes", LANES, (lane) => lane.lane, "No record came yet, so no lane is known.");
  const flights = table("In flight", FLIGHTS, (flight) => flight.request_id + flight.first, "The function has no batch at this moment.");
  const retries = table("Tried again", RETRIES, (retry) => retry.lane + retry.first, "Nothing waits for another attempt.");
  const errors = table("Last errors", ERRORS, (error) => `${error.at} ${error.request_id}`, "No invocation failed, as far back as the journal goes.");
  main.append(
    make("nav", { class: "crumbs", "aria-label": "Path" }, make("a", { href: "#/" }, "← Mappings")),
    make("div", { class: "tools" }, make("h1", {}, foreign(name, {}, 300)), state, since, make("span", { class: "space" }), ...buttons.nodes),
    reason,
    facts,
    make("div", { class: "two" }, card("", rates.node), card("", lags.node)),
    make("div", { class: "two" }, card("Records a second, and in all", numbers.node), card("Lanes", lanes.node)),
    card("Tried again", retries.node),
    card("In flight", flights.node),
    card("Last errors", errors.node),
  );

  function show(mapping) {
    const flow = mapping.flow;
    write(state, mapping.state);
    mark(state, "class", `badge ${mapping.state}`);
    write(since, flow ? `since ${time(flow.since)}` : "");
    const trouble = [mapping.reason, mapping.trouble].filter(Boolean).map((text) => visible(text));
    if (flow?.refused_everything) trouble.push("The filters refused every record so far: try one on the page Filters.");
    write(reason, trouble.join("\n"));
    reason.hidden = !trouble.length;
    mark(reason, "class", `notice ${mapping.trouble && !mapping.reason ? "trouble" : mapping.state}`);
    buttons.show(mapping);
    showFacts(mapping);
    numbers.show(COUNTS.map((what) => ({ what, total: what === "failed" ? flow?.failed : mapping.counts[what], rates: flow?.rates[what] })));
    lanes.show(flow?.lanes ?? []);
    flights.show(flow?.in_flight ?? []);
    retries.show(flow?.retrying ?? []);
  }

  let known = "";
  function showFacts(mapping) {
    const document = mapping.flow?.last_document;
    const told = [
      ["Source", foreign(tail(mapping.source)), mapping.kind],
      ["Function", make("a", { href: `#${path("function", mapping.function)}` }, foreign(mapping.function)), ""],
      ["From", origin(mapping.origin), ""],
      ["Working", mapping.feeds ? many(mapping.feeds, "feed") : "no feed", ""],
      ["Filter", filtered(mapping), ""],
      ["Failure destination", mapping.destination ? foreign(tail(mapping.destination)) : "none", ""],
      ["Last document", document ? firstLine(`${time(document.at)}: ${many(document.records, "record")}, ${document.reason}${document.cause ? `, not taken: ${document.cause}` : ""}`) : NONE, ""],
      ["UUID", make("code", {}, mapping.uuid), ""],
    ];
    const text = told.map(([title, value, more]) => title + (value.textContent ?? value) + more).join("\n");
    if (text === known) return;
    known = text;
    facts.replaceChildren(
      ...told.map(([title, value, more]) =>
        make("div", {}, make("dt", {}, title), make("dd", {}, value, more && make("small", {}, ` ${more}`))),
      ),
    );
  }

  const filtered = (mapping) => {
    const share = mapping.flow?.refused;
    const link = make("a", { href: `#${address("/filters", { mapping: mapping.name })}` }, "try it");
    const told = share === null || share === undefined ? "" : `${(share * 100).toFixed(share && share < 0.1 ? 1 : 0)} % refused, `;
    return make("span", {}, told, link);
  };

  const gone = (error) => {
    if (error.status !== 404) return;
    write(state, "gone");
    mark(state, "class", "badge disabled");
    write(reason, "There is no mapping of this name any more.");
    reason.hidden = false;
  };
  poll((until) => ask(here, until), 1, show, signal, gone);
  poll(
    (until) => ask(address("/v1/history", { mapping: name }), until),
    5,
    (answer) => {
      rates.show(answer.mappings[name], answer.step);
      lags.show(answer.mappings[name], answer.step);
    },
    signal,
  );
  poll((until) => ask(address(`${here}/journal`, { failed: true, limit: 10, ids: 1 }), until), 3, (answer) => errors.show(answer.entries), signal);
  journal.begin(main, signal, name);
  tap.begin(main, signal, name);
}

const card = (title, ...content) => make("section", { class: "card" }, title && make("h2", {}, title), ...content);

const origin = (from) => ({ file: "the configuration file", api: "the Lambda API", emulator: "an emulator, taken over" })[from] ?? from;

const put = (node) => (cell, item) => {
  const [text, title] = node(item);
  write(cell, text);
  mark(cell, "title", title);
};
const long = (pick) => put((item) => [firstLine(pick(item), 200), visible(pick(item), 1000)]);

const LANES = [
  ["Lane", "wrap", long((lane) => tail(lane.lane))],
  ["Position", "code", long((lane) => lane.position || NONE)],
  ["Lag", "number", put((lane) => [span(lane.lag_seconds)])],
  ["Records", "number", put((lane) => [count(lane.lag_records)])],
  ["Blocked since", "number", put((lane) => [lane.blocked_since ? time(lane.blocked_since) : NONE])],
];
const FLIGHTS = [
  ["Records", "number", put((flight) => [count(flight.records)])],
  ["Attempt", "number", put((flight) => [count(flight.attempt)])],
  ["For", "number", put((flight) => [span(flight.seconds)])],
  ["Hidden for", "number", put((flight) => [span(flight.visibility_left)])],
  ["First record", "code", long((flight) => flight.first)],
  ["Request", "code", long((flight) => flight.request_id)],
];
const RETRIES = [
  ["Records", "number", put((retry) => [count(retry.records)])],
  ["Attempt", "number", put((retry) => [count(retry.attempt)])],
  ["Next in", "number", put((retry) => [retry.next_in ? span(retry.next_in) : "now"])],
  ["Since", "number", put((retry) => [time(retry.since)])],
  ["First record", "code", long((retry) => retry.first)],
  ["Error", "bad", long((retry) => retry.error?.text || retry.error?.kind || "")],
];
const ERRORS = [
  ["Time", "time", put((error) => [time(error.at)])],
  ["How", "", put((error) => [error.detail])],
  ["Records", "number", put((error) => [count(error.records)])],
  ["Took", "number", put((error) => [span(error.seconds)])],
  ["Error", "bad", long((error) => error.error)],
  ["Request", "code", long((error) => error.request_id)],
];

// --- levers ---------------------------------------------------------------------------------------------------------

class Buttons {
  constructor(here, name, levers, shown, signal) {
    this.here = here;
    this.name = name;
    this.shown = shown;
    this.signal = signal;
    this.pause = make("button", { type: "button", click: () => this.pausing() }, "Pause");
    this.retry = make("button", { type: "button", click: () => this.retrying() }, "Retry now");
    this.skip = levers.includes("skip") && make("button", { type: "button", click: () => this.skipping() }, "Skip …");
    this.nodes = [this.retry, this.skip, this.pause].filter(Boolean);
    for (const button of this.nodes) button.disabled = true;
  }

  show(mapping) {
    this.mapping = mapping;
    this.paused = mapping.state === "paused";
    write(this.pause, this.paused ? "Resume" : "Pause");
    mark(this.pause, "class", this.paused ? "primary" : null);
    this.pause.disabled = mapping.state === "disabled";
    mark(this.pause, "title", this.pause.disabled ? "It is not enabled: its configuration says so" : null);
    const waiting = mapping.flow?.retrying.length ?? 0;
    this.retry.disabled = !waiting;
    mark(this.retry, "title", waiting ? null : "Nothing waits for another attempt");
    if (this.skip) this.skip.disabled = !waiting;
  }

  async pausing() {
    if (this.paused) return this.pull("resume", "goes on", "Resume this mapping?", "It fetches again.", "Resume");
    const text = "What is in flight ends first; then nothing more is fetched, until somebody resumes it. The pause is kept over restarts.";
    return this.pull("pause", "is paused", "Pause this mapping?", text, "Pause");
  }

  async retrying() {
    const waiting = many(this.mapping.flow.retrying.length, "batch").replace("batchs", "batches");
    const text = `The pause before the next attempt of ${waiting} ends now. It uses up no attempt more.`;
    return this.pull("retry", "tries again", "Retry now?", text, "Retry now");
  }

  async skipping() {
    const [retry] = this.mapping.flow.retrying;
    const text = "It is discarded: the function does not get it again, and its failure destination gets it, where there is one. This cannot be undone.";
    const record = make("input", { id: "record", class: "code", spellcheck: "false", required: true, value: retry.first });
    const known = retry.records === 1 ? "The only one of the batch that fails." : `The first of ${count(retry.records)} that were tried together. Name the one that the function does not take.`;
    const field = make("label", { class: "field", for: "record" }, "Record", record, make("small", {}, known));
    const more = { danger: true, place: "positions/skip", body: () => ({ lane: retry.lane, record: record.value.trim() }), fields: [field] };
    return this.pull("skip", "skips the record", "Skip this record?", text, "Skip the record", more);
  }

  async pull(lever, done, title, text, action, { danger = false, place = lever, body = () => undefined, fields = [] } = {}) {
    const subject = make("p", { class: "subject" }, foreign(this.name, {}, 300));
    if (!(await dialog.confirm(title, text, action, { danger, fields: [subject, ...fields] }))) return;
    try {
      const answer = await act(`${this.here}/${place}`, body());
      if (this.signal.aborted) return;
      dialog.tell(`${visible(this.name, 80)} ${done}${answer.waits ? " as soon as its invocation ends" : ""}`);
      if (answer.counts) this.shown(answer);
    } catch (error) {
      dialog.tell(error.message, "bad");
    }
  }
}
