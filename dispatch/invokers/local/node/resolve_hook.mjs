// Looks for a package that was not found where `import` does, in the directories of NODE_PATH.
// https://nodejs.org/api/module.html#customization-hooks

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
let parents = [];

export function initialize(given) {
  parents = given;
}

export async function resolve(specifier, context, nextResolve) {
  try {
    return await nextResolve(specifier, context);
  } catch (error) {
    const found = error?.code === "ERR_MODULE_NOT_FOUND" && isPackage(specifier)
      ? await elsewhere(specifier, context, nextResolve)
      : undefined;
    if (found) {
      return found;
    }
    throw error;
  }
}

function isPackage(specifier) {
  return !/^(\.{0,2}\/|[a-z]+:)/.test(specifier);
}

async function elsewhere(specifier, context, nextResolve) {
  for (const parentURL of parents) {
    try {
      return await nextResolve(specifier, { ...context, parentURL });
    } catch (error) {
      if (error?.code !== "ERR_MODULE_NOT_FOUND") {
        throw error;
      }
    }
  }
  try {
    return await nextResolve(pathToFileURL(require.resolve(specifier)).href, context); // in what is no node_modules
  } catch {
    return undefined;
  }
}
