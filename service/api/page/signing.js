// Signature Version 4, for a daemon that listens beyond its machine and so wants keys. The secret stays in this tab.
// By hand, because browsers offer their own hashes to pages from https and the loopback alone.

const KEPT = "headrace-keys";
const ROUND = [];
const START = [];
const text = new TextEncoder();

// The constants are the fractions of roots of the first primes.
for (let number = 2; ROUND.length < 64; number++) {
  let prime = true;
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) prime = false;
  if (!prime) continue;
  if (START.length < 8) START.push(fraction(Math.sqrt(number)));
  ROUND.push(fraction(Math.cbrt(number)));
}

function fraction(root) {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
}

export function sha256(bytes) {
  const length = ((bytes.length + 8) >> 6) * 64 + 64;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(length - 4, bytes.length << 3);
  const state = START.slice();
  const words = new Int32Array(64);
  for (let block = 0; block < length; block += 64) {
    for (let index = 0; index < 64; index++) words[index] = index < 16 ? view.getInt32(block + index * 4) : mixed(words, index);
    rounds(state, words);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setInt32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

const turn = (word, by) => (word >>> by) | (word << (32 - by));

function mixed(words, index) {
  const [early, late] = [words[index - 15], words[index - 2]];
  const first = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
  const second = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
  return (words[index - 16] + first + words[index - 7] + second) | 0;
}

function rounds(state, words) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let index = 0; index < 64; index++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[index] + words[index]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => (state[index] = (state[index] + word) | 0));
}

function hmac(key, message) {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(joined(block.map((byte) => byte ^ 0x36), text.encode(message)));
  return sha256(joined(block.map((byte) => byte ^ 0x5c), inner));
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const strict = (part) => encodeURIComponent(part).replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);

// --- the keys -------------------------------------------------------------------------------------------------------

export function keys() {
  return JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
}

export function keep(id, secret) {
  sessionStorage.setItem(KEPT, JSON.stringify({ id, secret }));
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}

/** Headers with a signature; none while there are no keys. */
export function signed(method, url, body = "") {
  const given = keys();
  if (!given) return {};
  const moment = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = [moment.slice(0, 8), "us-east-1", "lambda", "aws4_request"];
  const headers = `host:${url.host}\nx-amz-date:${moment}\n`;
  const pairs = [...url.searchParams].map(([name, value]) => `${strict(name)}=${strict(value)}`).sort();
  const path = url.pathname.split("/").map(strict).join("/");
  const request = [method, path, pairs.join("&"), headers, "host;x-amz-date", hex(sha256(text.encode(body)))].join("\n");
  const claim = ["AWS4-HMAC-SHA256", moment, scope.join("/"), hex(sha256(text.encode(request)))].join("\n");
  const key = scope.reduce(hmac, text.encode(`AWS4${given.secret}`));
  const credential = `Credential=${given.id}/${scope.join("/")}`;
  const signature = `Signature=${hex(hmac(key, claim))}`;
  return { "X-Amz-Date": moment, Authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host;x-amz-date, ${signature}` };
}
