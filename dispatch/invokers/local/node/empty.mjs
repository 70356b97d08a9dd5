// What happens when nothing is left in the event loop that could ever answer.

// Tools that wrap handlers look for the listener under this symbol, as AWS's client has it.
const LISTENER = Symbol.for("aws.lambda.beforeExit");
const nothing = () => {};

globalThis[LISTENER] = nothing;
process.on("beforeExit", () => globalThis[LISTENER]());

export function whenEmpty(listener) {
  globalThis[LISTENER] = listener ?? nothing;
}
