// Errors as AWS's client names them, as the caller gets them, and as they stand in the log.

import { types } from "node:util";
import { PROMISES_ONLY } from "./version.mjs";

const UNREADABLE =
  "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, " +
  "and stack";
const NAMED_ERROR = new Set(["HandlerNotFound", "MalformedHandlerName", "CallbackHandlerDeprecated"]);

// An error whose type is `Runtime.<kind>`. The newer client has the name as a member of its own, so that its log has it.
export function fault(kind, message, more = {}) {
  const name = PROMISES_ONLY && NAMED_ERROR.has(kind) ? `${kind}Error` : kind;
  const made = { [name]: class extends Error {} }[name];
  if (!PROMISES_ONLY) {
    made.prototype.name = `Runtime.${kind}`;
  }
  const error = new made(message);
  if (PROMISES_ONLY) {
    error.name = `Runtime.${kind}`;
  }
  return Object.assign(error, more);
}

export function asError(thrown) {
  if (thrown instanceof Error) {
    return thrown;
  }
  return new Error(PROMISES_ONLY ? String(thrown) : thrown);
}

// What the caller gets.
export function asPayload(thrown) {
  try {
    if (!isError(thrown)) {
      const errorMessage = PROMISES_ONLY ? String(thrown) : thrown.toString();
      return { errorType: typeof thrown, errorMessage, trace: [] };
    }
    const trace = PROMISES_ONLY && thrown.stack === undefined ? [] : printable(thrown.stack).split("\n");
    return { errorType: printable(thrown.name), errorMessage: printable(thrown.message), trace };
  } catch {
    const unreadable = { errorType: "handled", errorMessage: UNREADABLE };
    return PROMISES_ONLY ? { ...unreadable, trace: [] } : unreadable;
  }
}

function isError(thrown) {
  if (PROMISES_ONLY) {
    return thrown instanceof Error;
  }
  const texts = () => [thrown.name, thrown.message, thrown.stack];
  return types.isNativeError(thrown) || Boolean(thrown && texts().every((each) => each && typeof each === "string"));
}

function printable(text) {
  return text?.replaceAll("\x7f", "%7F");
}

// Of a line of the log with the format Text.
export function asLogText(error) {
  try {
    return "\t" + JSON.stringify(error, (_, value) => (value instanceof Error ? withMembers(value) : value));
  } catch {
    return "\t" + JSON.stringify(asPayload(error));
  }
}

function withMembers(error) {
  const named = { errorType: error.name, errorMessage: error.message, code: error.code };
  const members = Object.assign(named, error);
  if (typeof error.stack === "string") {
    members.stack = error.stack.split("\n");
  }
  return members;
}
