// From the name of a handler to the function: where its module is looked for, and how it is loaded.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { fault } from "./errors.mjs";
import { importFromSearchPath } from "./search_path.mjs";
import { PROMISES_ONLY } from "./version.mjs";

const require = createRequire(import.meta.url);
let loading = "";
const SDK = /Cannot find (?:module|package) '(@(?:aws-sdk|smithy)\/[^'/]+|aws-sdk)/;

export async function loadHandler(root, name) {
  if (name.includes("..")) {
    const advice = "Use absolute paths when specifying root directories in handler names.";
    throw fault("MalformedHandlerName", `'${name}' is not a valid handler name. ${advice}`);
  }
  const file = path.basename(name);
  const parts = /^([^.]*)\.(.*)$/.exec(file);
  if (!parts) {
    throw fault("MalformedHandlerName", "Bad handler");
  }
  importFromSearchPath(root);
  const directory = name.slice(0, name.indexOf(file));
  return exported(await explained(root, directory, parts[1]), parts[2], name);
}

async function explained(root, directory, module) {
  try {
    return await (PROMISES_ONLY ? imported(root, directory, module) : required(root, directory, module));
  } catch (error) {
    if (error instanceof SyntaxError) {
      const { stackWithPlace } = await import("./syntax.mjs");
      throw fault("UserCodeSyntaxError", String(error), { stack: stackWithPlace(error, loading) });
    }
    if (error?.code === "MODULE_NOT_FOUND") {
      throw fault("ImportModuleError", withAdvice(String(error)));
    }
    if (error?.code === "ERR_MODULE_NOT_FOUND") {
      error.message = withAdvice(error.message);
    }
    throw error;
  }
}

// Lambda's own runtimes bring the SDK; whoever runs functions elsewhere has to. Said in the first line, which is shown
// where there is room for one.
function withAdvice(message) {
  const sdk = SDK.exec(message)?.[1];
  const advice = `Lambda's runtime has it; here run: npm install ${sdk} (or put it into a layer)`;
  const [first, ...rest] = message.split("\n");
  return sdk ? [`${first}. ${advice}`, ...rest].join("\n") : message;
}

// --- up to Node.js 22 ------------------------------------------------------------------------------------------------

async function required(root, directory, module) {
  const base = path.resolve(root, directory, module);
  const isModule = existsSync(base + ".js") && isPackageOfModules(path.dirname(base));
  return (
    requiredFile(base) ||
    (!isModule && requiredFile(base + ".js")) ||
    (isModule && (await importedFile(base + ".js"))) ||
    (await importedFile(base + ".mjs")) ||
    requiredFile(base + ".cjs") ||
    require(require.resolve(module, { paths: [root, directory] }))
  );
}

function requiredFile(file) {
  return existsSync(file) ? require(file) : undefined;
}

async function importedFile(file) {
  if (!existsSync(file)) {
    return undefined;
  }
  loading = file;
  return await import(pathToFileURL(file));
}

function isPackageOfModules(directory) {
  if (directory.endsWith("/node_modules")) {
    return false;
  }
  const description = path.join(directory, "package.json");
  if (existsSync(description)) {
    try {
      return JSON.parse(readFileSync(description))?.type === "module";
    } catch (error) {
      console.warn(`${description} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  const above = path.dirname(directory);
  return above !== directory && isPackageOfModules(above);
}

// --- from Node.js 24 on ----------------------------------------------------------------------------------------------

async function imported(root, directory, module) {
  const base = path.resolve(root, directory, module);
  for (const ending of ["", ".js", ".mjs", ".cjs"]) {
    const found = await importedFile(base + ending);
    if (found) {
      return found;
    }
  }
  return require(require.resolve(module, { paths: [root, path.join(root, directory)] }));
}

// --- what the module has ---------------------------------------------------------------------------------------------

function exported(module, name, fullName) {
  const handler = PROMISES_ONLY ? member(module, name) || memberOfDefault(module, name) : anyMember(module, name);
  if (!handler) {
    throw fault("HandlerNotFound", `${fullName} is undefined or not exported`);
  }
  if (typeof handler !== "function") {
    throw fault("HandlerNotFound", `${fullName} is not a function`);
  }
  return handler;
}

function anyMember(module, name) {
  return name.split(".").reduce((found, key) => found && found[key], module);
}

function member(module, name) {
  return name.split(".").reduce((found, key) => (found && typeof found === "object" ? found[key] : undefined), module);
}

function memberOfDefault(module, name) {
  return module && typeof module === "object" && "default" in module ? member(module.default, name) : undefined;
}
