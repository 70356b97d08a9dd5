// The invocation that is under way, as far as the whole process may know of it.

import { PROMISES_ONLY } from "./version.mjs";

const REQUEST = Symbol.for("aws.lambda.runtime.requestId");
const TENANT = Symbol.for("aws.lambda.runtime.tenantId");

// What the newer client has for libraries: `awslambda.InvokeStore`.
class InvokeStore {
  static KEYS = {
    REQUEST_ID: Symbol.for("_AWS_LAMBDA_REQUEST_ID"),
    X_RAY_TRACE_ID: Symbol.for("_AWS_LAMBDA_X_RAY_TRACE_ID"),
    TENANT_ID: Symbol.for("_AWS_LAMBDA_TENANT_ID"),
  };
  #context;

  getContext() {
    return this.#context;
  }

  hasContext() {
    return this.#context !== undefined;
  }

  get(key) {
    return this.#context?.[key];
  }

  set(key, value) {
    if (this.isProtectedKey(key)) {
      throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    }
    this.#context = { ...this.#context, [key]: value };
  }

  isProtectedKey(key) {
    return Object.values(InvokeStore.KEYS).includes(key);
  }

  getRequestId() {
    return this.get(InvokeStore.KEYS.REQUEST_ID) ?? "-";
  }

  getXRayTraceId() {
    return this.get(InvokeStore.KEYS.X_RAY_TRACE_ID);
  }

  getTenantId() {
    return this.get(InvokeStore.KEYS.TENANT_ID);
  }

  run(context, body) {
    this.#context = context;
    return body();
  }
}

export const store = new InvokeStore();

export function begin(id, trace, tenant) {
  if (PROMISES_ONLY) {
    store.run({ [InvokeStore.KEYS.REQUEST_ID]: id, [InvokeStore.KEYS.X_RAY_TRACE_ID]: trace }, () => {});
  } else {
    globalThis[REQUEST] = id;
    globalThis[TENANT] = tenant;
  }
}

export function requestId() {
  return PROMISES_ONLY ? store.getRequestId() : globalThis[REQUEST];
}

export function tenantId() {
  return PROMISES_ONLY ? store.getTenantId() : globalThis[TENANT];
}

// The header of the trace is in the environment while the invocation runs.
export function setTrace(trace) {
  if (trace) {
    process.env._X_AMZN_TRACE_ID = trace;
  } else {
    delete process.env._X_AMZN_TRACE_ID;
  }
}
