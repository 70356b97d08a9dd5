// The function of the invokers' contract suite, as Lambda's Node.js runtime takes it.

import fs from "node:fs";
import path from "node:path";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT = 6 * 1024 * 1024 + 100;

export async function handler(event) {
  switch (event?.do) {
    case "fail":
      throw new RangeError("no such order: 7");
    case "exit":
      process.exit(3);
    case "big":
      return "x".repeat(LIMIT - 2 + event.over);
    case "meet":
      fs.writeFileSync(path.join(event.directory, randomUUID()), "");
      while (fs.readdirSync(event.directory).length < event.count) {
        await sleep(5);
      }
      return "met";
    case "hang":
      fs.writeFileSync(path.join(event.directory, String(process.pid)), "");
      while (fs.existsSync(event.directory)) {
        await sleep(50);
      }
  }
  return event;
}
