// `awslambda`, which functions find without importing it.

import { fault } from "./errors.mjs";
import { store } from "./invocation.mjs";
import { HttpResponseStream } from "./streams.mjs";
import { PROMISES_ONLY } from "./version.mjs";

export const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const RESPONSE = "response";

// Throws for a handler that was marked for another kind of streaming.
export function isStreaming(handler) {
  const kind = handler[STREAMING];
  if (kind && kind !== RESPONSE) {
    throw fault("MalformedStreamingHandler", "Only response streaming is supported.");
  }
  return Boolean(kind);
}

export function setGlobals() {
  if (!["1", "true"].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
    const more = PROMISES_ONLY ? { InvokeStore: store } : {};
    globalThis.awslambda = { ...more, streamifyResponse, HttpResponseStream };
  }
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = RESPONSE;
  if (typeof options?.highWaterMark === "number") {
    handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  }
  return handler;
}
