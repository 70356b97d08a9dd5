// Invocations from Node.js 24 on. A handler answers by its promise, or by what it returns; there are no callbacks. What
// nobody catches ends the process as Node.js itself does.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html

import * as api from "./api.mjs";
import { logError } from "./console.mjs";
import { fromEnvironment, fromHeaders } from "./context.mjs";
import { fault } from "./errors.mjs";
import { HIGH_WATER_MARK, isStreaming } from "./globals.mjs";
import { begin, setTrace } from "./invocation.mjs";
import { responseStream } from "./streams.mjs";
import { whenEmpty, whenInvocationNeverEnds } from "./unsettled.mjs";

const NO_CALLBACKS =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to " +
  "modify this function to use a supported handler signature to use Node.js 24 or later. For more information see " +
  "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

export function prepare() {}

export function check(handler) {
  if (!isStreaming(handler) && handler.length >= 3) {
    throw fault("CallbackHandlerDeprecated", NO_CALLBACKS);
  }
}

export async function initFailed(error) {
  logError("Init Error", error);
  await api.initFailed(error);
  throw error;
}

export async function run(handler) {
  const processor = isStreaming(handler) ? new StreamingInvokeProcessor(handler) : new BufferedInvokeProcessor(handler);
  for (;;) {
    whenEmpty();
    const { headers, body } = await api.next();
    const context = { ...fromHeaders(headers), ...fromEnvironment() };
    setTrace(context.xRayTraceId);
    const event = JSON.parse(body);
    begin(context.awsRequestId, context.xRayTraceId);
    await processor.process(event, context);
  }
}

// Their names stand in stacks of handlers, as under AWS's client: `at BufferedInvokeProcessor.handler`.
class BufferedInvokeProcessor {
  constructor(handler) {
    this.handler = handler;
  }

  async process(event, context) {
    whenInvocationNeverEnds(context.awsRequestId);
    try {
      const result = await this.handler(event, context);
      await nextTurn();
      await api.responded(context.awsRequestId, written(result));
    } catch (error) {
      await nextTurn();
      logError("Invoke Error", error);
      await api.failed(context.awsRequestId, error);
    }
  }
}

class StreamingInvokeProcessor {
  constructor(handler) {
    this.handler = handler;
  }

  async process(event, context) {
    const { stream, finished, fail } = responseStream(context.awsRequestId, this.handler[HIGH_WATER_MARK]);
    try {
      const result = this.handler(event, stream, context);
      if (typeof result?.then !== "function") {
        throw new Error("Streaming does not support non-async handlers.");
      }
      if ((await result) !== undefined) {
        console.warn("Streaming handlers ignore return values.");
      }
      await finished;
      if (!stream.writableFinished) {
        throw new Error("Response stream is not finished.");
      }
    } catch (error) {
      await nextTurn();
      logError("Invoke Error", error);
      await new Promise((resolve) => fail(error, resolve));
      await finished;
    }
  }
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

function written(result) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch {
    throw fault("JSONStringifyError", "Unable to stringify response body");
  }
  if (typeof text !== "string") {
    throw new TypeError("Wrong arguments"); // such as a function, which JSON does not have
  }
  return text;
}
