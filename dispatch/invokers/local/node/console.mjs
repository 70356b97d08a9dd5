// The console as Lambda has it: each call is one record with time, request id and level, in the function's log format
// and from its level on, written to the runtime's log descriptor in a frame.

import { writeSync } from "node:fs";
import { format } from "node:util";
import { asError, asLogText } from "./errors.mjs";
import { requestId, tenantId } from "./invocation.mjs";

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const METHODS = { trace: "TRACE", debug: "DEBUG", info: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };
const TEXT = 0xa55a0003;
const JSON_TEXT = 0xa55a0002;
const HEAD = 16;

const asJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
const least = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? LEVELS.TRACE;
const descriptor = Number.parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD, 10);
delete process.env._LAMBDA_TELEMETRY_LOG_FD;

export function patchConsole() {
  for (const [method, level] of Object.entries(METHODS)) {
    const heard = LEVELS[level] >= least;
    console[method] = heard ? (message, ...more) => record(level, message, more) : () => {};
  }
  console.log = console.info;
}

export function logError(message, thrown) {
  if (asJson) {
    console.error(asError(thrown));
  } else {
    console.error(message, asLogText(asError(thrown)));
  }
}

function record(level, message, more) {
  const now = new Date();
  const text = asJson ? jsonOf(now, level, message, more) : textOf(now, level, message, more);
  if (Number.isNaN(descriptor)) {
    process.stdout.write(`${text}\n`);
  } else {
    write(framed(level, now, asJson ? text : `${text}\n`));
  }
}

function textOf(now, level, message, more) {
  return `${now.toISOString()}\t${requestId()}\t${level}\t${format(message, ...more)}`;
}

function jsonOf(now, level, message, more) {
  const written = { timestamp: now.toISOString(), level, requestId: requestId() };
  if (tenantId()) {
    written.tenantId = tenantId();
  }
  if (more.length === 0) {
    try {
      return JSON.stringify({ ...written, message }, (_, value) => (value instanceof Error ? described(value) : value));
    } catch {
      return JSON.stringify({ ...written, message: format(message) });
    }
  }
  const error = [message, ...more].find((each) => each instanceof Error);
  return JSON.stringify({ ...written, message: format(message, ...more), ...(error && named(error)) });
}

function described(error) {
  return Object.assign(named(error, error.stack), error);
}

function named(error, unsplit = []) {
  const stackTrace = typeof error.stack === "string" ? error.stack.split("\n") : unsplit;
  return { errorType: error.constructor?.name ?? "UnknownError", errorMessage: error.message, stackTrace };
}

function framed(level, now, text) {
  const body = Buffer.from(text, "utf8");
  const frame = Buffer.alloc(HEAD + body.length);
  frame.writeUInt32BE(((asJson ? JSON_TEXT : TEXT) | (LEVELS[level] << 2)) >>> 0, 0);
  frame.writeUInt32BE(body.length, 4);
  frame.writeBigInt64BE(BigInt(now.valueOf()) * 1000n, 8);
  body.copy(frame, HEAD);
  return frame;
}

function write(frame) {
  for (let written = 0; written < frame.length; ) {
    written += writeSync(descriptor, frame, written);
  }
}
