// Where a syntax error is. Node.js says it of scripts; of ES modules only as the last words of a process, so one is asked
// that reads the module, and what it imports, and runs nothing of it.

import { spawnSync } from "node:child_process";

const READ = `
  const { readFileSync } = require("fs");
  const path = require("path");
  const { SourceTextModule } = require("vm");
  const read = new Set();
  (function follow(file) {
    if (read.has(file) || !file.endsWith("js")) return;
    read.add(file);
    const module = new SourceTextModule(readFileSync(file, "utf8"), { identifier: file });
    const names = module.moduleRequests?.map((each) => each.specifier) ?? module.dependencySpecifiers;
    names.filter((each) => each.startsWith(".")).forEach((each) => follow(path.resolve(path.dirname(file), each)));
  })(process.argv[1]);
`;
const OPTIONS = ["--experimental-vm-modules", "--no-warnings", "-e", READ];

// The stack of `error`, headed by file, line and the text there, as far as they can be told. `file` is what was loaded.
export function stackWithPlace(error, file) {
  const [head] = error.stack.split("\n");
  if (/:\d+$/.test(head) || !file.endsWith("js")) {
    return error.stack;
  }
  const { stderr } = spawnSync(process.execPath, [...OPTIONS, file], { encoding: "utf8", env: {} });
  const [place] = stderr.split("\n\n");
  return /^\S+:\d+\n/.test(place) ? `${place}\n\n${error.stack}` : error.stack;
}
