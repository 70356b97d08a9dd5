// A runtime client for functions in Node.js: takes invocations from the Runtime API and hands them to the handler.
// Run by the function's own node as `node start.mjs path/file.export`, in the directory of the code.
//
//   start ──► console ──► modules ──┬─► callbacks   up to Node.js 22: answers by callbacks, by promises
//                                   └─► promises    from Node.js 24 on: answers by promises, by what is returned
//
// It behaves as AWS's public client for the version of Node.js; tests/proof/test_node_clients.py compares them.

import { patchConsole } from "./console.mjs";
import { setGlobals } from "./globals.mjs";
import { loadHandler } from "./modules.mjs";
import { whenInitNeverEnds } from "./unsettled.mjs";
import { PROMISES_ONLY } from "./version.mjs";

const generation = await import(PROMISES_ONLY ? "./promises.mjs" : "./callbacks.mjs");

setGlobals();
patchConsole();
generation.prepare();
whenInitNeverEnds();
let handler;
try {
  handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.argv[2]);
  generation.check(handler);
} catch (error) {
  await generation.initFailed(error);
}
generation.run(handler);
