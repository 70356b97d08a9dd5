// Numbers and times as people read them.

const COUNT = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DATE = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const NONE = "–";

export const count = (number) => (number === null || number === undefined ? NONE : COUNT.format(number));

export const short = (number) => (number < 10_000 ? COUNT.format(number) : SHORT.format(number));

/** Of records, a second. */
export function rate(number) {
  if (!number) return "0";
  if (number < 0.01) return "< 0.01";
  if (number < 1) return number.toFixed(2);
  return number < 10 ? number.toFixed(1) : short(Math.round(number));
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 0.0005) return "0 s";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return both(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 86_400) return both(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return both(Math.floor(whole / 86_400), "d", Math.floor((whole % 86_400) / 3600), "h");
}

/** The same in one number, for small places. */
export function brief(seconds) {
  if (seconds === null || seconds === undefined || seconds < 60) return span(seconds);
  const [size, unit] = [[86_400, "d"], [3600, "h"], [60, "min"]].find(([each]) => seconds >= each);
  const number = seconds / size;
  return `${number >= 10 || Number.isInteger(number) ? Math.round(number) : number.toFixed(1)} ${unit}`;
}

const both = (large, unit, small, part) => (small ? `${large} ${unit} ${small} ${part}` : `${large} ${unit}`);

/** Seconds since the epoch. */
export function time(at) {
  const date = new Date(at * 1000);
  return Date.now() - date < 43_200_000 ? CLOCK.format(date) : DATE.format(date);
}

export const many = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** `orders` of an ARN; of anything else all of it. */
export const tail = (source) => (source.startsWith("arn:") ? source.split(":").slice(5).join(":") || source : source);
