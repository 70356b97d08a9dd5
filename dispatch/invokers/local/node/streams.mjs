// The answer of a handler that streams: a writable whose bytes go out as they come. An error after the first byte is
// told in the trailers.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming

import http from "node:http";
import { request } from "./api.mjs";
import { asPayload, fault } from "./errors.mjs";

const METHODS = [
  ...["cork", "destroy", "end", "uncork", "write", "addListener", "emit", "eventNames", "getMaxListeners"],
  ...["listenerCount", "listeners", "off", "on", "once", "prependListener", "prependOnceListener", "rawListeners"],
  ...["removeAllListeners", "removeListener", "setMaxListeners"],
];
const CHANGED = ["destroyed", "writable", "_onBeforeFirstWrite"];
const READ = [
  ...["writableFinished", "writableObjectMode", "writableEnded", "writableNeedDrain", "writableHighWaterMark"],
  ...["writableCorked", "writableLength"],
];
const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";

// `stream` is the handler's; `finished` resolves when the Runtime API has all of it; `fail` ends it with an error.
export function responseStream(id, highWaterMark) {
  let settle;
  const finished = new Promise((resolve, reject) => (settle = { resolve, reject }));
  const headers = {
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    Trailer: [ERROR_TYPE, ERROR_BODY],
    "Content-Type": "application/octet-stream",
    "Transfer-Encoding": "chunked",
  };
  const agent = new http.Agent({ highWaterMark });
  const path = `/invocation/${encodeURIComponent(id)}/response`;
  const sent = request({ method: "POST", path, headers, agent }, (answer) => {
    answer.on("aborted", settle.reject);
    answer.on("end", settle.resolve);
    answer.resume();
  });
  sent.on("error", settle.reject);
  const fail = (thrown, then) => {
    const payload = asPayload(thrown);
    const body = Buffer.from(JSON.stringify(payload)).toString("base64");
    sent.addTrailers({ [ERROR_TYPE]: payload.errorType, [ERROR_BODY]: body });
    sent.end(then);
  };
  return { stream: writableOf(sent), finished, fail };
}

// The members of a writable alone: a handler sees nothing of the request behind it.
function writableOf(sent) {
  let begun = false;
  const stream = {
    ...Object.fromEntries(METHODS.map((name) => [name, sent[name].bind(sent)])),
    setContentType(type) {
      if (begun) {
        throw fault("InvalidStreamingOperation", "Cannot set content-type, too late.");
      }
      sent.setHeader("Content-Type", type);
    },
    write(piece, ...more) {
      if (!begun) {
        stream._onBeforeFirstWrite?.((first) => sent.write(first));
        begun = true;
      }
      return sent.write(isBytes(piece) ? piece : JSON.stringify(piece), ...more);
    },
  };
  for (const name of [...CHANGED, ...READ]) {
    const set = CHANGED.includes(name) ? (value) => (sent[name] = value) : undefined;
    Object.defineProperty(stream, name, { get: () => sent[name], set });
  }
  return stream;
}

function isBytes(piece) {
  return typeof piece === "string" || Buffer.isBuffer(piece) || piece instanceof Uint8Array;
}

// Status, headers and cookies before the body, as function URLs and API Gateway read them.
export class HttpResponseStream {
  static TYPE = "application/vnd.awslambda.http-integration-response";
  static DELIMITER = 8; // bytes, all of them 0

  static from(stream, prelude) {
    stream.setContentType(HttpResponseStream.TYPE);
    const text = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(text);
      write(new Uint8Array(HttpResponseStream.DELIMITER));
    };
    return stream;
  }
}
