// Invocations up to Node.js 22. A handler answers by its promise, by its third argument, or by done, succeed and fail of
// its context; what one that is not async returns is nobody's. Where it answers in none of these ways, the answer is
// null, once nothing is left to do.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html

import * as api from "./api.mjs";
import { logError } from "./console.mjs";
import { fromEnvironment, fromHeaders } from "./context.mjs";
import { fault } from "./errors.mjs";
import { HIGH_WATER_MARK, isStreaming } from "./globals.mjs";
import { begin, setTrace } from "./invocation.mjs";
import { responseStream } from "./streams.mjs";
import { whenEmpty, whenInvocationNeverEnds } from "./unsettled.mjs";

const UNCAUGHT = 129;
const UNHANDLED = 128; // as AWS's client ends

// To whom an error belongs that nobody catches: the init, then the last invocation.
let tell = api.initFailed;

export function prepare() {
  process.on("uncaughtException", (error) => {
    logError("Uncaught Exception", error);
    end(error, UNCAUGHT);
  });
  process.on("unhandledRejection", (reason, promise) => {
    const error = fault("UnhandledPromiseRejection", reason, { reason, promise });
    logError("Unhandled Promise Rejection", error);
    end(error, UNHANDLED);
  });
}

function end(error, status) {
  tell(error).finally(() => process.exit(status));
}

export function check(handler) {
  isStreaming(handler);
}

export async function initFailed(error) {
  logError("Uncaught Exception", error);
  await api.initFailed(error);
  process.exit(UNCAUGHT);
}

export function run(handler) {
  whenEmpty();
  new Runtime(handler).scheduleNext();
}

// Its name stands in stacks of handlers, as under AWS's client: `at Runtime.handler`.
class Runtime {
  constructor(handler) {
    this.handler = handler;
    this.handleOnce = isStreaming(handler) ? this.handleStreaming : this.handleBuffered;
  }

  scheduleNext() {
    setImmediate(() =>
      this.handleOnce().catch((error) => {
        console.log(`Unexpected Top Level Error: ${error}`);
        end(error, UNCAUGHT);
      }),
    );
  }

  async handleBuffered() {
    const { headers, body } = await this.next();
    const id = headers["lambda-runtime-aws-request-id"];
    const answer = new Answer(id, () => this.scheduleNext());
    try {
      whenEmpty(() => answer.none());
      const context = this.contextOf(headers, answer.context);
      const result = this.handler(JSON.parse(body), context, answer.callback);
      if (isPromise(result)) {
        if (!answer.given) {
          whenInvocationNeverEnds(id);
        }
        result.then(context.succeed, context.fail).catch(context.fail);
      }
    } catch (error) {
      answer.callback(error);
    }
  }

  async handleStreaming() {
    const { headers, body } = await this.next();
    const id = headers["lambda-runtime-aws-request-id"];
    const { stream, finished, fail } = responseStream(id, this.handler[HIGH_WATER_MARK]);
    const { context, then } = waiting();
    const scheduleNext = () => then(() => this.scheduleNext());
    const failed = (error) => {
      logError("Invoke Error", error);
      fail(error, scheduleNext);
    };
    try {
      whenEmpty(() => this.scheduleNext()); // the stream has ended, or its request would be left to do
      const result = this.handler(JSON.parse(body), stream, this.contextOf(headers, context));
      if (!isPromise(result)) {
        failed("Streaming does not support non-async handlers.");
        return;
      }
      if ((await result) !== undefined) {
        console.warn("Streaming handlers ignore return values.");
      }
      await finished;
      if (!stream.writableFinished) {
        failed("Response stream is not finished.");
        return;
      }
      scheduleNext();
    } catch (error) {
      failed(error);
    }
  }

  async next() {
    const invocation = await api.next();
    const id = invocation.headers["lambda-runtime-aws-request-id"];
    begin(id, undefined, invocation.headers["lambda-runtime-aws-tenant-id"]);
    tell = (error) => api.failed(id, error);
    return invocation;
  }

  contextOf(headers, context) {
    setTrace(headers["lambda-runtime-trace-id"]);
    return Object.assign(context, fromEnvironment(), fromHeaders(headers));
  }
}

function isPromise(value) {
  return value && typeof value.then === "function";
}

// A context with `callbackWaitsForEmptyEventLoop`, and what waits as that says.
function waiting() {
  let waits = true;
  const context = {
    get callbackWaitsForEmptyEventLoop() {
      return waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waits = value;
    },
  };
  const then = (goOn) => {
    whenEmpty();
    if (waits) {
      whenEmpty(() => setImmediate(goOn));
    } else {
      goOn();
    }
  };
  return { context, then };
}

// The one answer to an invocation: the first way counts.
class Answer {
  #given = false;
  #posted = false;

  constructor(id, scheduleNext) {
    this.id = id;
    this.scheduleNext = scheduleNext;
    const { context, then } = waiting();
    const now = (goOn) => goOn();
    const done = (error, result) => this.#give(error, result, now);
    this.callback = this.#once((error, result) => this.#give(error, result, then));
    this.context = Object.assign(context, {
      succeed: this.#once((result) => done(null, result)),
      fail: this.#once((error) => done(error ?? "handled", null)),
      done: this.#once(done),
    });
  }

  get given() {
    return this.#given;
  }

  none() {
    this.#posted = true;
    api.responded(this.id, "null").then(this.scheduleNext);
  }

  #once(way) {
    return (...given) => {
      if (!this.#given) {
        way(...given);
        this.#given = true;
      }
    };
  }

  #give(error, result, when) {
    whenEmpty();
    if (error === undefined || error === null) {
      when(() => this.#succeed(result));
    } else {
      logError("Invoke Error", error);
      api.failed(this.id, error).then(this.scheduleNext);
    }
  }

  #succeed(result) {
    if (this.#posted) {
      console.error(
        "Invocation has already been reported as done. Cannot call complete more than once per invocation.",
      );
      return;
    }
    this.#posted = true;
    api.responded(this.id, written(result)).then(this.scheduleNext);
  }
}

function written(result) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch {
    throw new Error("Unable to stringify response body");
  }
  if (typeof text !== "string") {
    throw new TypeError("Wrong arguments"); // such as a function, which JSON does not have
  }
  return text;
}
