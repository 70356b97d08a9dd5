// The filter playground: a pattern and a record, and why the filter keeps it or not. The daemon's own code decides.

import { act, address, ask, stream } from "./api.js";
import { foreign, make, mark, visible, write } from "./dom.js";

const SOURCES = {
  sqs: [{ body: { type: ["order"] } }, { messageId: "1", body: JSON.stringify({ type: "order", total: 12 }), eventSource: "aws:sqs" }],
  kinesis: [
    { data: { type: ["order"] } },
    { eventSource: "aws:kinesis", kinesis: { partitionKey: "1", sequenceNumber: "1", data: btoa(JSON.stringify({ type: "order", total: 12 })) } },
  ],
  dynamodb: [
    { eventName: ["INSERT"] },
    { eventSource: "aws:dynamodb", eventName: "INSERT", dynamodb: { Keys: { id: { S: "1" } }, NewImage: { id: { S: "1" }, total: { N: "12" } } } },
  ],
  kafka: [{ value: { type: ["order"] } }, { topic: "orders", partition: 0, offset: 0, value: btoa(JSON.stringify({ type: "order", total: 12 })) }],
};
// Where each kind has the data that filters look into, and how it writes them.
const WRITTEN = {
  sqs: (record, text) => ({ ...record, body: text }),
  kinesis: (record, text) => ({ ...record, kinesis: { ...record.kinesis, data: coded(text) } }),
  kafka: (record, text) => ({ ...record, value: coded(text) }),
};
const KEYS = { sqs: "body", kinesis: "data", kafka: "value" };
const coded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** The sample with data that the pattern may keep, to begin with. */
function fitting(source, pattern, sample) {
  const rules = pattern?.[KEYS[source]];
  if (!rules) return sample;
  const data = kept(rules);
  return WRITTEN[source](sample, typeof data === "string" ? data : JSON.stringify(data));
}

function kept(rules) {
  if (!Array.isArray(rules)) return Object.fromEntries(Object.entries(rules).filter(([key]) => key !== "$or").map(([key, rule]) => [key, kept(rule)]));
  const rule = rules[0];
  if (rule === null || typeof rule !== "object") return rule;
  return rule.prefix ?? rule.suffix ?? rule["equals-ignore-case"] ?? (rule.numeric ? (rule.numeric[1] ?? 1) : "x");
}

const pretty = (value) => JSON.stringify(value, null, 2);

export function begin(main, signal, query) {
  const which = make("select", { "aria-label": "Mapping or source", change: () => pick() });
  const pattern = make("textarea", { spellcheck: "false", rows: 12, "aria-label": "Pattern", input: () => later() });
  const record = make("textarea", { spellcheck: "false", rows: 12, "aria-label": "Record", input: () => later() });
  const body = make("input", { type: "checkbox", id: "body", change: () => later() });
  const take = make("button", { type: "button", click: () => takeNext() }, "Take the next record");
  const verdict = make("div", { class: "verdict", role: "status" });
  const why = make("div", { class: "why" });
  main.append(
    make("div", { class: "tools" }, make("h1", {}, "Filters"), make("label", { class: "check" }, "filter of ", which)),
    make("p", { class: "lead" }, "Change a pattern or a record, and see what the filter says. Nothing here changes a mapping."),
    make(
      "div",
      { class: "two even" },
      make("section", { class: "card" }, make("div", { class: "tools" }, make("h2", {}, "Pattern"), make("span", { class: "muted" }, "one, or a list of which one has to match")), pattern),
      make(
        "section",
        { class: "card" },
        make("div", { class: "tools" }, make("h2", {}, "Record"), make("span", { class: "space" }), make("label", { class: "check", for: "body" }, body, " its data alone"), take),
        record,
      ),
    ),
    make("section", { class: "card" }, verdict, why),
  );

  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(decide, 200);
  };
  const chosen = () => JSON.parse(which.value);

  function asked() {
    let patterns;
    try {
      patterns = JSON.parse(pattern.value || "[]");
    } catch {
      patterns = [pattern.value]; // the daemon says what is wrong with it
    }
    return { ...chosen(), patterns: Array.isArray(patterns) ? patterns : [patterns], record: record.value || null, as_body: body.checked };
  }

  async function decide() {
    try {
      const answer = await act("/v1/filter", asked());
      if (!signal.aborted) show(answer);
    } catch (error) {
      if (!signal.aborted) tell("unknown", "Not a record", [make("p", {}, visible(error.message))]);
    }
  }

  function show({ problems, notes, trials }) {
    const remarks = notes.map((note) => remark(note.fatal ? "bad" : "", `Filter ${note.filter + 1} ${note.what}`, note.hint, note.path));
    if (problems.length) return tell("bad", "No valid pattern", problems.map((each) => remark("bad", each.reason, each.hint, each.path)));
    if (!record.value.trim()) return tell("unknown", "Give it a record", remarks);
    if (!trials.length) return tell("unknown", "The event holds no record", remarks);
    const keptAll = trials.filter((trial) => trial.kept).length;
    const title = trials.length === 1 ? (trials[0].kept ? "Kept" : "Refused") : `${keptAll} of ${trials.length} records kept`;
    tell(keptAll === trials.length ? "good" : keptAll ? "unknown" : "bad", title, [...remarks, ...trials.flatMap((trial) => explained(trial, trials.length > 1))]);
  }

  function tell(kind, title, content) {
    mark(verdict, "class", `verdict ${kind}`);
    write(verdict, title);
    why.replaceChildren(...content);
  }

  // --- what is tried ----------------------------------------------------------------------------------------------

  async function pick() {
    const { mapping, source } = chosen();
    take.hidden = !mapping;
    try {
      const answer = await act("/v1/filter", { mapping, source });
      const [example, sample] = SOURCES[answer.source] ?? [{}, {}];
      const patterns = mapping ? answer.patterns : [example];
      pattern.value = patterns.length ? pretty(patterns.length === 1 ? patterns[0] : patterns) : "";
      mark(pattern, "placeholder", mapping ? "This mapping has no filter: it keeps every record. Write one to see what it would keep." : "");
      record.value = pretty(mapping ? fitting(answer.source, patterns[0], sample) : sample);
      decide();
    } catch (error) {
      tell("unknown", "No answer", [make("p", {}, visible(error.message))]);
    }
  }

  let waiting = null;
  function takeNext() {
    if (waiting) return stop();
    waiting = new AbortController();
    signal.addEventListener("abort", () => waiting?.abort());
    write(take, "Waiting for a record … (stop)");
    stream(address("/v1/tap", { mapping: chosen().mapping, payload: true }), ([first]) => {
      if (!waiting || first?.record === undefined) return;
      stop();
      body.checked = false;
      record.value = pretty(first.record);
      decide();
    }, waiting.signal);
  }

  function stop() {
    waiting.abort();
    waiting = null;
    write(take, "Take the next record");
  }

  async function choices() {
    const found = await ask("/v1/mappings", signal).catch(() => ({ mappings: [] }));
    const option = (value, title, selected) => make("option", { value: JSON.stringify(value), selected }, title);
    const names = found.mappings.map((mapping) => mapping.name).sort();
    const wanted = new URLSearchParams(query).get("mapping") ?? names[0];
    if (names.length) which.append(make("optgroup", { label: "Mappings" }, ...names.map((name) => option({ mapping: name }, visible(name, 80), name === wanted))));
    which.append(make("optgroup", { label: "No mapping" }, ...Object.keys(SOURCES).map((source) => option({ source }, `records of ${source}`, false))));
    pick();
  }
  choices();
}

const remark = (kind, text, hint, path) =>
  make("p", { class: `remark ${kind}` }, path && make("code", {}, visible(path, 300)), path && " ", visible(text), hint && make("small", {}, ` ${visible(hint)}`));

function explained(trial, named) {
  const title = named ? [make("h3", {}, foreign(trial.record, { class: "code" }, 100), trial.kept ? " is kept" : " is refused")] : [];
  if (!trial.filters.length) return [...title, make("p", {}, "There is no filter, so every record is kept.")];
  return [
    ...title,
    ...trial.filters.map((each, index) =>
      make("p", { class: `remark ${each.matched ? "good" : "bad"}` }, make("b", {}, `Filter ${index + 1} ${each.matched ? "matches" : "does not match"}`), ` ${visible(each.reason)} `, each.path && !each.reason.includes(each.path) && make("code", {}, visible(each.path, 300))),
    ),
  ];
}
