// A small runtime client for Node.js functions: takes invocations from the Runtime API and hands them to the handler.
// Run by the function's own node as `node node_start.mjs path/file.export`, in the directory of the code.

import http from "node:http";
import path from "node:path";
import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const base = "/2018-06-01/runtime";

function call(method, url, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: base + url, agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    request.setNoDelay(true);
    request.on("error", reject);
    if (body !== undefined) {
      request.setHeader("Content-Length", Buffer.byteLength(body));
    }
    request.end(body);
  });
}

function asError(thrown) {
  if (thrown instanceof Error || (thrown && typeof thrown === "object" && "stack" in thrown && "message" in thrown)) {
    return {
      errorType: thrown.name ?? "Error",
      errorMessage: thrown.message,
      trace: String(thrown.stack ?? "").split("\n"),
    };
  }
  return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
}

function runtimeError(type, message) {
  const error = new Error(message);
  error.name = type;
  return error;
}

async function load(spec) {
  const root = process.env.LAMBDA_TASK_ROOT;
  const file = path.basename(spec);
  const dot = file.indexOf(".");
  if (dot < 1) {
    throw runtimeError("Runtime.MalformedHandlerName", `Bad handler '${spec}': it must be like path/file.export`);
  }
  const module = path.join(path.dirname(spec), file.slice(0, dot));
  const found = ["", ".js", ".mjs", ".cjs"]
    .map((ending) => path.resolve(root, module + ending))
    .find((name) => fs.existsSync(name) && fs.statSync(name).isFile());
  const target = found ?? createRequire(path.join(root, "index.js")).resolve("./" + module);
  const loaded = await import(pathToFileURL(target).href);
  let value = loaded;
  for (const part of file.slice(dot + 1).split(".")) {
    value = value?.[part] ?? (value === loaded ? loaded.default?.[part] : undefined);
  }
  if (typeof value !== "function") {
    throw runtimeError("Runtime.HandlerNotFound", `${spec} is undefined or not exported`);
  }
  return value;
}

async function loadOrExplain(spec) {
  try {
    return await load(spec);
  } catch (error) {
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw runtimeError("Runtime.ImportModuleError", `Error: ${error.message.split("\n")[0]}`);
    }
    if (error instanceof SyntaxError) {
      throw runtimeError("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`);
    }
    throw error;
  }
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (headers["lambda-runtime-client-context"]) {
    context.clientContext = JSON.parse(headers["lambda-runtime-client-context"]);
  }
  return context;
}

// Called when nothing is left that could ever answer: such a handler means null.
let whenEmpty = null;
process.on("beforeExit", () => {
  const settle = whenEmpty;
  whenEmpty = null;
  settle?.();
});

// A handler answers by its promise, by its third argument, by done, succeed and fail of the context, or by what it
// returns; without any of these the answer is null, once nothing is left to do.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error ? reject(error) : resolve(result));
    context.done = callback;
    context.succeed = resolve;
    context.fail = reject;
    const returned = handler(event, context, callback);
    if (typeof returned?.then === "function") {
      returned.then(resolve, reject);
    } else if (handler.length < 3 && returned !== undefined) {
      resolve(returned);
    } else {
      whenEmpty = () => resolve(null);
    }
  });
}

let current = null;

async function fail(thrown, url) {
  const error = asError(thrown);
  console.error(`${new Date().toISOString()}\t${current ?? "undefined"}\tERROR\t${JSON.stringify(error)}`);
  const type = String(error.errorType).replace(/[^\x20-\x7e]/g, "?"); // as a header may have it
  const headers = { "Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": type };
  await call("POST", url, JSON.stringify(error), headers);
}

async function fatal(thrown) {
  try {
    await fail(thrown, current ? `/invocation/${current}/error` : "/init/error");
  } finally {
    process.exit(128 + 1);
  }
}

process.on("uncaughtException", fatal);
process.on("unhandledRejection", fatal);

let handler;
try {
  handler = await loadOrExplain(process.argv[2]);
} catch (error) {
  await fail(error, "/init/error");
  process.exit(1);
}

for (;;) {
  const next = await call("GET", "/invocation/next");
  current = next.headers["lambda-runtime-aws-request-id"];
  process.env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"] ?? "";
  let result;
  try {
    result = await run(handler, JSON.parse(next.body.toString("utf8")), contextOf(next.headers));
    whenEmpty = null;
    result = JSON.stringify(result === undefined ? null : result) ?? "null"; // a function is no JSON
  } catch (error) {
    await fail(error, `/invocation/${current}/error`);
    current = null;
    continue;
  }
  await call("POST", `/invocation/${current}/response`, result, { "Content-Type": "application/json" });
  current = null;
}
