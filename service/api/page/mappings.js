// The list of mappings: one row each with its last hour. Only the rows in sight are there, so a thousand still scroll.

import { address, ask, path, poll } from "./api.js";
import { firstLine, foreign, make, mark, visible, write } from "./dom.js";
import { brief, count, many, NONE, rate, short, tail } from "./format.js";
import { reach, spark, wanted } from "./plot.js";

const AROUND = 6; // rows above and below those in sight
const NAMED = 60; // mappings in one question for histories
const GRAVITY = ["failing", "waiting", "stopping", "stopped", "paused", "polling", "disabled"];
const ORDERS = {
  worst: ["Worst first", (one, other) => gravity(one) - gravity(other) || byName(one, other)],
  name: ["By name", (one, other) => byName(one, other)],
  lag: ["Most behind first", (one, other) => behind(other) - behind(one) || byName(one, other)],
  rate: ["Busiest first", (one, other) => speed(other) - speed(one) || byName(one, other)],
};
const kept = { search: "", state: "", order: "worst" }; // as it was left, for who comes back from a mapping

const gravity = (mapping) => {
  const place = GRAVITY.indexOf(mapping.state);
  return (place < 0 ? 2 : place) - (mapping.trouble ? 0.5 : 0);
};
const byName = (one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0);
const behind = (mapping) => mapping.flow?.lag_seconds ?? 0;
const speed = (mapping) => mapping.flow?.rates.fetched["1m"] ?? 0;

export function begin(main, signal) {
  const state = { all: [], shown: [], histories: {}, step: 10, over: 3600 };
  const chips = make("div", { class: "chips", role: "group", "aria-label": "States" });
  const search = make("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search mappings",
    "aria-keyshortcuts": "/",
    value: kept.search,
    input: () => {
      kept.search = search.value;
      arrange();
    },
  });
  const order = make(
    "select",
    {
      "aria-label": "Order",
      change: () => {
        kept.order = order.value;
        arrange();
      },
    },
    ...Object.entries(ORDERS).map(([name, [title]]) => make("option", { value: name, selected: name === kept.order }, title)),
  );
  const head = make(
    "div",
    { class: "row head", role: "row" },
    ...["Mapping", "Records a second", "Lag", "In flight", "Delivered", "Filtered", "Discarded"].map((title, index) =>
      make("span", { role: "columnheader", class: index > 2 ? "number" : undefined }, title),
    ),
  );
  const body = make("div", { class: "rows", role: "rowgroup" });
  const list = make("div", { class: "list", role: "table", "aria-label": "Mappings", hidden: true }, make("div", { role: "rowgroup" }, head), body);
  const nothing = make("div", { class: "empty" }, make("p", {}, "Asking the daemon …"));
  main.append(make("div", { class: "tools" }, make("h1", {}, "Mappings"), chips, search, order), list, nothing);
  const rows = new Map();

  // --- which rows -------------------------------------------------------------------------------------------------

  function arrange() {
    const words = kept.search.toLowerCase().split(/\s+/).filter(Boolean);
    const said = (mapping) => `${mapping.name} ${mapping.source} ${mapping.function} ${mapping.kind} ${mapping.reason}`.toLowerCase();
    state.shown = state.all
      .filter((mapping) => !kept.state || mapping.state === kept.state)
      .filter((mapping) => words.every((word) => said(mapping).includes(word)))
      .sort(ORDERS[kept.order][1]);
    countStates();
    list.hidden = state.shown.length === 0;
    nothing.hidden = state.shown.length > 0;
    if (!state.shown.length) nothing.replaceChildren(...(state.all.length ? noneFound() : noneYet()));
    mark(list, "aria-rowcount", state.shown.length + 1);
    fill();
  }

  function countStates() {
    const states = GRAVITY.filter((name) => state.all.some((mapping) => mapping.state === name) || name === kept.state);
    const wanted = states.length > 1 || kept.state ? ["", ...states] : [];
    if (chips.dataset.of !== wanted.join()) {
      chips.dataset.of = wanted.join();
      chips.replaceChildren(...wanted.map(chip));
    }
    for (const button of chips.children) {
      const name = button.dataset.state;
      const number = name ? state.all.filter((mapping) => mapping.state === name).length : state.all.length;
      write(button.lastElementChild, short(number));
      mark(button, "aria-pressed", name === kept.state ? "true" : "false");
    }
  }

  function chip(name) {
    const pick = () => {
      kept.state = name;
      arrange();
    };
    const dot = name && make("i", { class: `dot ${name}` });
    return make("button", { type: "button", class: "chip", "data-state": name, click: pick }, dot, name || "all", make("b"));
  }

  const noneFound = () => {
    const clear = () => {
      kept.search = kept.state = search.value = "";
      arrange();
      search.focus();
    };
    const about = kept.search ? `Nothing here matches “${visible(kept.search, 80)}”.` : `No mapping is ${kept.state}.`;
    return [make("p", {}, about), make("button", { type: "button", click: clear }, "Show all mappings")];
  };

  const noneYet = () => [
    make("h2", {}, "No mapping yet"),
    make("p", {}, "A mapping takes records from a queue or stream to a function. Add one to headrace.yaml and start the daemon again:"),
    make("pre", {}, EXAMPLE),
    make("p", {}, "Or create one while it runs, with any client of the Lambda API:"),
    make("pre", {}, `aws lambda create-event-source-mapping --endpoint-url ${location.origin} \\\n    --function-name resize --event-source-arn ARN`),
  ];

  // --- what is in sight -------------------------------------------------------------------------------------------

  function fill() {
    const tall = Number.parseFloat(getComputedStyle(list).getPropertyValue("--row")) || 64;
    body.style.height = `${state.shown.length * tall}px`;
    const above = -body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / tall) - AROUND);
    const last = Math.min(state.shown.length, Math.ceil((above + innerHeight) / tall) + AROUND);
    const focused = document.activeElement?.closest?.(".row")?.dataset.name;
    const gone = new Set(rows.keys());
    for (let index = 0; index < state.shown.length; index++) {
      const mapping = state.shown[index];
      const inside = index >= first && index < last;
      if (!inside && mapping.name !== focused) continue;
      gone.delete(mapping.name);
      const row = rows.get(mapping.name) ?? added(mapping);
      row.show(mapping, state.histories[mapping.name], state.step, state.over);
      row.node.style.transform = `translateY(${index * tall}px)`;
      mark(row.node, "aria-rowindex", index + 2);
      row.node.dataset.index = index;
    }
    for (const name of gone) {
      rows.get(name).node.remove();
      rows.delete(name);
    }
    const unknown = [...rows.keys()].filter((name) => !(name in state.histories));
    if (unknown.length) want(unknown);
  }

  function added(mapping) {
    const made = row(mapping);
    rows.set(mapping.name, made);
    const after = [...body.children].find((each) => Number(each.dataset.index) > state.shown.indexOf(mapping));
    body.insertBefore(made.node, after ?? null); // the order of the keyboard is that of the eye
    return made;
  }

  let asked = false;
  let frame = 0;
  const later = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (!signal.aborted) fill();
    });
  };

  /** Histories of rows that came into sight, once it is quiet. */
  function want(names) {
    if (asked) return;
    asked = true;
    for (const name of names) state.histories[name] = null;
    setTimeout(async () => {
      await remember(Object.keys(state.histories).filter((name) => state.histories[name] === null)).catch(() => {});
      asked = false;
      if (!signal.aborted) fill();
    }, 60);
  }

  async function remember(names) {
    const points = wanted(state.over);
    for (let index = 0; index < names.length; index += NAMED) {
      const found = await ask(address("/v1/history", { points, mapping: names.slice(index, index + NAMED) }), signal);
      Object.assign(state.histories, found.mappings);
      state.step = found.step;
    }
    state.over = reach(Object.values(state.histories), state.step);
    if (wanted(state.over) > points) await remember(names); // of a young daemon, in smaller steps
  }

  addEventListener("scroll", later, { passive: true, signal });
  addEventListener("resize", later, { signal });
  addEventListener(
    "keydown",
    (event) => {
      if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) {
        event.preventDefault();
        search.focus();
      }
    },
    { signal },
  );
  body.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const now = document.activeElement?.closest?.(".row")?.dataset.index;
    if (!by || now === undefined) return;
    const next = state.shown[Number(now) + by];
    if (!next) return;
    event.preventDefault();
    const link = rows.get(next.name)?.node.querySelector("a");
    link?.focus({ preventScroll: true });
    link?.closest(".row").scrollIntoView({ block: "nearest" });
  });

  poll(
    (until) => ask("/v1/mappings", until),
    2,
    (answer) => {
      state.all = answer.mappings;
      arrange();
    },
    signal,
  );
  poll(
    () => remember([...rows.keys()]),
    10,
    () => {
      for (const name of Object.keys(state.histories)) if (!rows.has(name)) delete state.histories[name];
      fill();
    },
    signal,
  );
}

const EXAMPLE = `mappings:
  orders:
    source: arn:aws:sqs:us-east-1:000000000000:orders
    function: resize`;

function row({ name }) {
  const dot = make("i", { class: "dot" });
  const state = make("span", { class: "state" });
  const link = make("a", { href: `#${path("mapping", name)}`, class: "name" }, foreign(name, {}, 200));
  const about = make("span", { class: "about" });
  const rates = spark(["delivered", "failed"], ["delivered", "failed"]);
  const lags = spark(["lag_seconds"], ["lag"]);
  const texts = { rate: make("b"), lag: make("b"), behind: make("small"), flight: make("b"), retry: make("small") };
  const counts = ["delivered", "filtered", "discarded"].map((what) => [what, make("span", { class: "number", role: "cell", "data-title": what })]);
  const node = make(
    "div",
    { class: "row", role: "row", "data-name": name },
    make("div", { class: "what", role: "cell" }, make("span", { class: "title" }, dot, link, state), about),
    make("div", { class: "plotted", role: "cell", "data-title": "records a second" }, rates.node, make("span", { class: "value" }, texts.rate, make("small", {}, "/s"))),
    make("div", { class: "plotted", role: "cell", "data-title": "lag" }, lags.node, make("span", { class: "value" }, texts.lag, texts.behind)),
    make("span", { class: "number", role: "cell", "data-title": "in flight" }, texts.flight, texts.retry),
    ...counts.map(([, cell]) => cell),
  );
  return {
    node,
    show(mapping, history, step, over) {
      const flow = mapping.flow;
      mark(dot, "class", `dot ${mapping.state}`);
      write(state, mapping.state);
      mark(node, "data-state", mapping.trouble ? "trouble" : mapping.state);
      const trouble = mapping.reason || mapping.trouble;
      write(about, trouble ? firstLine(trouble) : `${mapping.kind} ${visible(tail(mapping.source), 200)} → ${visible(mapping.function, 100)}`);
      mark(about, "class", trouble ? "about reason" : "about");
      mark(about, "title", trouble ? visible(trouble, 1000) : visible(mapping.source, 300));
      write(texts.rate, flow ? rate(flow.rates.delivered["1m"]) : NONE);
      write(texts.lag, flow ? brief(flow.lag_seconds) : NONE);
      write(texts.behind, flow?.lag_records ? many(flow.lag_records, "record") : "");
      write(texts.flight, flow ? count(flow.in_flight.length) : NONE);
      write(texts.retry, flow?.retrying.length ? `${count(flow.retrying.length)} retrying` : "");
      for (const [what, cell] of counts) write(cell, count(mapping.counts[what]));
      rates.show(history, step, over);
      lags.show(history, step, over);
    },
  };
}
