// Records as they pass: a look at the pipe that never slows it.

import { Refusal, address, stream } from "./api.js";
import { foreign, make, visible, write } from "./dom.js";
import { count, time } from "./format.js";

const KEPT = 200; // lines
const EVERY = 200; // milliseconds between two changes of what is shown
const FATES = ["delivered", "filtered", "discarded", "returned", "abandoned"];

export function begin(main, signal, name) {
  const fate = make("select", { "aria-label": "Fate" }, make("option", { value: "" }, "every fate"), ...FATES.map((each) => make("option", {}, each)));
  const where = make("input", { type: "search", placeholder: "Text or filter pattern", "aria-label": "Text in the record, or a filter pattern" });
  const payload = make("input", { type: "checkbox", id: "payload" });
  const stand = make("span", { class: "muted" });
  const lines = make("ol", { class: "lines", tabindex: 0, "aria-label": "Records", hidden: true });
  const hint = make("p", { class: "nothing" }, "Start the tap to see records as they get their fate. It never slows the mapping: when this page reads too slowly, it misses some.");
  const button = make("button", { type: "button", click: () => (open ? stop() : start()) }, "Start the tap");
  let open = null;

  function start() {
    open = new AbortController();
    signal.addEventListener("abort", () => open?.abort());
    write(button, "Stop");
    lines.replaceChildren();
    hint.hidden = true;
    lines.hidden = false;
    const place = address("/v1/tap", { mapping: name, fate: fate.value, where: where.value, payload: payload.checked });
    const shown = new Shown(lines, stand);
    stream(place, (records) => shown.add(records), open.signal, (error) => write(stand, error ? refusalOf(error) : "waiting for records"));
  }

  function stop() {
    open?.abort();
    open = null;
    write(button, "Start the tap");
    write(stand, "");
  }

  const anew = () => {
    if (!open) return;
    stop();
    start();
  };
  for (const input of [fate, where, payload]) input.addEventListener("change", anew);
  const label = make("label", { class: "check", for: "payload" }, payload, " with payload");
  main.append(
    make("section", { class: "card" }, make("div", { class: "tools" }, make("h2", {}, "Tap"), stand, make("span", { class: "space" }), label, fate, where, button), hint, lines),
  );
}

class Shown {
  constructor(lines, stand) {
    this.lines = lines;
    this.stand = stand;
    this.waiting = [];
    this.seen = this.missed = this.unjudged = 0;
    stand.title = "";
    this.timer = 0;
  }

  add(records) {
    for (const record of records) {
      if (record.missed) this.missed += record.missed;
      else if (record.unjudged) {
        this.unjudged += record.unjudged;
        this.stand.title = `Not judged: ${visible(record.why, 300)}`;
      } else {
        this.waiting.push(record);
        this.seen += 1;
      }
    }
    this.waiting = this.waiting.slice(-KEPT);
    this.timer ||= setTimeout(() => this.flush(), EVERY);
  }

  flush() {
    this.timer = 0;
    const atEnd = this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 40;
    this.lines.append(...this.waiting.map(item));
    while (this.lines.childElementCount > KEPT) this.lines.firstElementChild.remove();
    this.waiting = [];
    if (atEnd) this.lines.scrollTop = this.lines.scrollHeight;
    const besides = Object.entries({ missed: this.missed, "not judged": this.unjudged }).filter(([, number]) => number);
    write(this.stand, [`${count(this.seen)} seen`, ...besides.map(([what, number]) => `${count(number)} ${what}`)].join(", "));
  }
}

const refusalOf = (error) => (error instanceof Refusal ? error.message : "the daemon does not answer");

const item = (record) =>
  make(
    "li",
    {},
    make("span", { class: "when" }, time(record.at)),
    make("span", { class: `fate ${record.fate}` }, record.fate),
    foreign(record.id, { class: "code" }, 120),
    record.reason && make("span", { class: "bad" }, visible(record.reason, 200)),
    record.record !== undefined && make("pre", {}, visible(JSON.stringify(record.record, null, 1))),
  );
