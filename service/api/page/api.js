// Asks the daemon that sent this page: answers, actions, streams of lines; and asks again after it was away.

import { signed } from "./signing.js";

const AGAIN = 1000; // milliseconds before a stream is opened again
const PATIENCE = 15_000; // milliseconds after which no answer is expected any more
const SHARE = 20; // asking takes one part in so many of the time …
const RAREST = 10; // … but is not rarer than this, in seconds

export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** `path("v1", "mappings", name)`: a name is one part, whatever is in it. */
export const path = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;

export function address(place, query = {}) {
  const pairs = Object.entries(query)
    .flatMap(([name, value]) => (Array.isArray(value) ? value.map((each) => [name, each]) : [[name, value]]))
    .filter(([, value]) => value !== "" && value !== false && value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value === true ? "1" : value)}`);
  return pairs.length ? `${place}?${pairs.join("&")}` : place;
}

async function send(method, place, { body, headers = {}, signal } = {}) {
  const url = new URL(place, location.origin);
  const answer = await fetch(url, {
    method,
    body,
    signal,
    headers: { ...headers, ...signed(method, url, body) },
    cache: "no-store",
    credentials: "omit",
  });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, told.code ?? "", told.error ?? told.message ?? `the daemon answers ${answer.status}`);
}

export async function ask(place, signal, patience = PATIENCE) {
  return (await send("GET", place, { signal: soon(signal, patience) })).json();
}

const soon = (signal, patience = PATIENCE) => AbortSignal.any([AbortSignal.timeout(patience), ...(signal ? [signal] : [])]);

// --- actions --------------------------------------------------------------------------------------------------------

let token = "";

/** Does something. The token is another one after each start of the daemon. */
export async function act(place, content) {
  const body = content === undefined ? undefined : JSON.stringify(content);
  const known = token;
  if (!known) await fetchToken();
  try {
    return await post(place, body);
  } catch (error) {
    if (!known || error.status !== 403) throw error;
    await fetchToken();
    return post(place, body);
  }
}

async function fetchToken() {
  token = (await ask("/v1/token")).token;
}

async function post(place, body) {
  return (await send("POST", place, { body, headers: { "X-Headrace-Token": token }, signal: soon() })).json();
}

// --- what goes on ---------------------------------------------------------------------------------------------------

/** Asks every so many seconds and shows the answer, until the signal; a hidden page asks nothing. */
export async function poll(question, seconds, show, signal, failed = () => {}) {
  while (!signal.aborted) {
    const began = performance.now();
    try {
      const answer = await question(signal);
      if (signal.aborted) return;
      show(answer);
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
    }
    const slow = Math.min(RAREST * 1000, SHARE * (performance.now() - began));
    await pause(Math.max(seconds * 1000, slow), signal);
    await inSight(signal);
  }
}

/** Lines of JSON as they come, for ever; `show` gets those that came together. */
export async function stream(place, show, signal, stands = () => {}) {
  while (!signal.aborted) {
    try {
      const answer = await send("GET", place, { signal });
      stands(null);
      await read(answer.body, show);
    } catch (error) {
      if (signal.aborted) return;
      stands(error);
    }
    await pause(AGAIN, signal);
  }
}

async function read(body, show) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    if (lines.length) show(lines.map((line) => JSON.parse(line)));
  }
}

const pause = (milliseconds, signal) =>
  new Promise((over) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      over();
    }
  });

const inSight = (signal) =>
  new Promise((over) => {
    if (!document.hidden) return over();
    const seen = () => {
      document.removeEventListener("visibilitychange", seen);
      over();
    };
    document.addEventListener("visibilitychange", seen);
    signal.addEventListener("abort", seen);
  });
