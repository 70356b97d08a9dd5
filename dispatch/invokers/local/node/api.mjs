// The Lambda Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import http from "node:http";
import { createRequire } from "node:module";
import { asPayload } from "./errors.mjs";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });
const BASE = "/2018-06-01/runtime";
const JSON_TYPE = { "Content-Type": "application/json" };

// An answer that is on its way. AWS's client waits for it without a turn of the event loop, so that not even the end of
// the process can overtake it; ours makes up for that when the process ends.
let pending = null;
const POST = `
  const [host, port, path, type] = process.argv.slice(1);
  const body = require("fs").readFileSync(0);
  const headers = { "Content-Type": type, "Content-Length": body.length };
  require("http").request({ host, port, path, method: "POST", headers }, (answer) => answer.resume()).end(body);
`;
process.on("exit", () => {
  if (pending) {
    const { spawnSync } = createRequire(import.meta.url)("node:child_process"); // costs each start, and is rarely needed
    const words = [hostname, port, pending.path, pending.type];
    const stdio = ["pipe", "ignore", "ignore"];
    spawnSync(process.execPath, ["-e", POST, ...words], { input: pending.body, env: {}, stdio });
  }
});

export function request(options, onAnswer) {
  const sent = http.request({ hostname, port, agent, ...options, path: BASE + options.path }, onAnswer);
  sent.setNoDelay(true);
  return sent;
}

export async function next() {
  const { status, headers, body } = await call("GET", "/invocation/next");
  if (status !== 200) {
    throw new Error(`Failed to get next invocation, error ${status}`);
  }
  return { headers: Object.fromEntries(Object.entries(headers).map(inUnicode)), body: body.toString("utf8") };
}

// Node.js takes every byte of a header for a character.
function inUnicode([name, value]) {
  return [name, Buffer.from(String(value), "latin1").toString("utf8")];
}

export function responded(id, body) {
  return post(`/invocation/${encodeURIComponent(id)}/response`, body);
}

export function failed(id, thrown) {
  return post(`/invocation/${encodeURIComponent(id)}/error`, JSON.stringify(asPayload(thrown)));
}

export function initFailed(thrown) {
  const payload = asPayload(thrown);
  const type = String(payload.errorType).replace(/[^\x20-\x7e]/g, "?"); // as a header may have it
  return post("/init/error", JSON.stringify(payload), { "Lambda-Runtime-Function-Error-Type": type });
}

async function post(path, body, headers = {}) {
  pending = { path: BASE + path, type: JSON_TYPE["Content-Type"], body };
  const length = { "Content-Length": Buffer.byteLength(body) };
  const answer = await call("POST", path, body, { ...JSON_TYPE, ...length, ...headers });
  pending = null;
  if (answer.status >= 400) {
    const refused = `Failed to post handler success response. Http response code: ${answer.status}. ${answer.body}`;
    process.stdout.write(`[ERROR] [${Date.now()}] LAMBDA_RUNTIME ${refused}\n`);
  }
}

function call(method, path, body, headers) {
  return new Promise((resolve, reject) => {
    const sent = request({ method, path, headers }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) }),
      );
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
