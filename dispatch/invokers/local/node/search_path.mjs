// ES modules find packages by NODE_PATH too, as under Lambda: those of layers first of all. Node.js itself looks there
// for `require` alone.

import { existsSync } from "node:fs";
import module from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

export function importFromSearchPath(root) {
  const directories = (process.env.NODE_PATH ?? "").split(path.delimiter);
  const others = directories.filter((each) => each && path.resolve(each) !== path.resolve(root) && existsSync(each));
  if (others.length && module.register) {
    const parents = others.map((each) => pathToFileURL(path.join(each, "of-the-search-path.mjs")).href);
    module.register("./resolve_hook.mjs", import.meta.url, { data: parents });
  }
}
