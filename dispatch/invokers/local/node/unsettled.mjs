// What happens when nothing is left in the event loop that could ever answer: the promise of a handler, or of an init,
// is never settled. AWS: `Runtime.NodeJsExit`.
// https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html#troubleshooting-invocation-nodejs-exit

import * as api from "./api.mjs";
import { logError } from "./console.mjs";
import { fault } from "./errors.mjs";

// Tools that wrap handlers look for the listener under this symbol, as AWS's client has it.
const LISTENER = Symbol.for("aws.lambda.beforeExit");
const UNSETTLED_TOP_LEVEL_AWAIT = 13; // of the exit codes of Node.js
const nothing = () => {};

globalThis[LISTENER] = nothing;
process.on("beforeExit", () => globalThis[LISTENER]());

export function whenEmpty(listener = nothing) {
  globalThis[LISTENER] = listener;
}

export function whenInitNeverEnds() {
  whenEmpty(() => exit(api.initFailed));
}

export function whenInvocationNeverEnds(id) {
  whenEmpty(() => exit((error) => api.failed(id, error)));
}

function exit(tell) {
  whenEmpty();
  const error = fault(
    "NodeJsExit",
    "Lambda runtime client detected an unexpected Node.js exit code: a Promise was never settled. " +
      "See https://nodejs.org/docs/latest/api/process.html#exit-codes",
  );
  logError("Node.js Exit", error);
  tell(error).finally(() => process.exit(UNSETTLED_TOP_LEVEL_AWAIT));
}
