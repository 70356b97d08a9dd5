// Plots of the last hour: small ones for the list, large ones with scale, legend and a pointer.

import { make, makeSvg, mark, write } from "./dom.js";
import { span } from "./format.js";

const HOUR = 3600;

/** Seconds that a plot spans: of a young daemon not the whole hour, which would be empty. */
export function reach(histories, step) {
  const known = Math.max(0, ...histories.map((history) => history?.fetched?.length ?? 0)) * step;
  return [600, 1800].find((span) => known <= span) ?? HOUR;
}

/** Points of an hour to ask for, so that a small plot has enough of them. */
export const wanted = (span) => ({ 600: 360, 1800: 180 })[span] ?? 90;

/** The points of a series as pixels; holes part it. `step`: seconds between two, the last is now; `over`: of the plot. */
function runs(values, step, over, width, height, most) {
  const found = [];
  let run = [];
  values.forEach((value, index) => {
    if (value === null) {
      if (run.length) found.push(run);
      run = [];
      return;
    }
    const x = width - ((values.length - 1 - index) * step * width) / over;
    if (x < -0.5) return;
    run.push([x, height - (Math.min(value, most) / most) * height]);
  });
  if (run.length) found.push(run);
  return found;
}

const line = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
const lines = (all) => all.map((run) => (run.length === 1 ? `${line(run)}h.01` : line(run))).join("");
const area = (all, height) =>
  all.map((run) => `${line(run)}L${run.at(-1)[0].toFixed(1)} ${height}L${run[0][0].toFixed(1)} ${height}Z`).join("");

const highest = (series) => series.flat().reduce((most, value) => (value > most ? value : most), 0);

/** A plot without a scale: `names` of series, the first with an area under it. Returns `{node, show(history, step, over)}`. */
export function spark(names, kinds) {
  const [width, height] = [140, 30];
  const under = makeSvg("path", { class: `area ${kinds[0]}` });
  const drawn = names.map((_, index) => makeSvg("path", { class: `line ${kinds[index]}` }));
  const ground = makeSvg("path", { class: "ground", d: `M0 ${height}H${width}` });
  const box = { class: "spark", viewBox: `0 -1.5 ${width} ${height + 3}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  const node = makeSvg("svg", box, ground, under, ...drawn);
  return {
    node,
    show(history, step, over) {
      const series = names.map((name) => history?.[name] ?? []);
      const most = highest(series) || 1;
      series.forEach((values, index) => {
        const all = runs(values, step, over, width, height, most);
        const quiet = index > 0 && !values.some(Boolean);
        mark(drawn[index], "d", quiet ? "" : lines(all));
        if (!index) mark(under, "d", area(all, height));
      });
    },
  };
}

const SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400];

/** The next round number; of seconds, the next round time. */
function ceiling(most, times) {
  if (!(most > 0)) return 1;
  const time = times && SECONDS.find((edge) => edge >= most);
  if (time) return time;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((part) => part * power).find((edge) => edge >= most * 0.999) ?? most;
}

const TIMES = {
  600: ["10 min ago", "5 min", "now"],
  1800: ["30 min ago", "20 min", "10 min", "now"],
  3600: ["an hour ago", "45 min", "30 min", "15 min", "now"],
};
const EDGE = { left: 54, right: 12, top: 10, bottom: 24 };

/** A large plot: `kinds` are `[series, title, class]`, `told(value)` words a value; `times`: it is of seconds. Returns `{node, show}`. */
export function plot(title, kinds, told, times = false) {
  const tall = 180;
  const legend = make("div", { class: "legend" });
  const values = kinds.map(([, name, kind]) => {
    const value = make("b", {}, "");
    legend.append(make("span", { class: "key" }, make("i", { class: kind }), name, value));
    return value;
  });
  const when = make("span", { class: "when" }, "now");
  const svg = makeSvg("svg", { class: "plot", role: "img", tabindex: 0, "aria-label": title });
  const node = make("figure", { class: "figure" }, make("figcaption", {}, make("div", {}, make("h2", {}, title), when), legend), svg);
  const state = { history: {}, step: 10, over: HOUR, at: null };

  function draw() {
    const wide = svg.clientWidth;
    if (!wide) return;
    const [width, height] = [wide - EDGE.left - EDGE.right, tall - EDGE.top - EDGE.bottom];
    mark(svg, "viewBox", `0 0 ${wide} ${tall}`);
    mark(svg, "height", tall);
    const series = kinds.map(([name]) => state.history[name] ?? []);
    const most = ceiling(highest(series), times);
    const inside = makeSvg("g", { transform: `translate(${EDGE.left} ${EDGE.top})` });
    inside.append(...scale(width, height, most));
    kinds.forEach(([, , kind], index) => {
      const all = runs(series[index], state.step, state.over, width, height, most);
      if (!index) inside.append(makeSvg("path", { class: `area ${kind}`, d: area(all, height) }));
      inside.append(makeSvg("path", { class: `line ${kind}`, d: lines(all) }));
    });
    point(inside, series, width, height);
    if (!series.some((each) => each.some((value) => value !== null)))
      inside.append(makeSvg("text", { class: "blank", x: width / 2, y: height / 2 }, "The first point comes within ten seconds"));
    svg.replaceChildren(inside);
  }

  function scale(width, height, most) {
    const marks = [0, 0.5, 1].flatMap((part) => {
      const y = height - part * height;
      const label = makeSvg("text", { x: -8, y: y + 4, "text-anchor": "end" }, part ? told(part * most) : "0");
      return [makeSvg("path", { class: part ? "grid" : "ground", d: `M0 ${y}H${width}` }), label];
    });
    const times = TIMES[state.over];
    const narrow = width < 420;
    return marks.concat(
      times.map((name, index) => {
        const part = index / (times.length - 1);
        if (narrow && part > 0 && part < 1) return "";
        const anchor = part === 0 ? "start" : part === 1 ? "end" : "middle";
        return makeSvg("text", { x: part * width, y: height + 17, "text-anchor": anchor }, name);
      }),
    );
  }

  function point(inside, series, width, height) {
    const longest = Math.max(...series.map((each) => each.length));
    const back = state.at === null ? 0 : Math.min(state.at, Math.max(0, longest - 1));
    series.forEach((each, index) => {
      const value = each[each.length - 1 - back];
      write(values[index], value === null || value === undefined ? "–" : told(value));
    });
    write(when, state.at === null ? "now" : `${span(back * state.step)} ago`);
    if (state.at === null || !longest) return;
    const x = width - (back * state.step * width) / state.over;
    inside.append(makeSvg("path", { class: "pointer", d: `M${x.toFixed(1)} 0V${height}` }));
  }

  function move(at) {
    const most = state.over / state.step - 1;
    state.at = at === null ? null : Math.min(most, Math.max(0, at));
    draw();
  }

  svg.addEventListener("pointermove", (event) => {
    const inside = event.clientX - svg.getBoundingClientRect().left - EDGE.left;
    const width = svg.clientWidth - EDGE.left - EDGE.right;
    move(Math.round(((1 - inside / width) * state.over) / state.step));
  });
  svg.addEventListener("pointerleave", () => move(null));
  svg.addEventListener("blur", () => move(null));
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: 1, ArrowRight: -1, PageUp: 30, PageDown: -30 }[event.key];
    if (!by) return;
    event.preventDefault();
    move((state.at ?? 0) + by);
  });
  new ResizeObserver(draw).observe(svg);
  return {
    node,
    show(history, step) {
      Object.assign(state, { history: history ?? {}, step, over: reach([history], step) });
      draw();
    },
  };
}
