// Mistakes that are put into a copy of the library, to see that the tests find them. Each says which tests must.
//
//     node infra/web/library/mutations.js [part of a name]

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTATIONS } from "./mistakes.js";

const LIBRARY = fileURLToPath(new URL("../../../web/motionboard/", import.meta.url));
const TESTS = fileURLToPath(new URL("./", import.meta.url));


/** @typedef {import("./mistakes.js").Mutation} Mutation */

/** A copy of the library with a mistake in it. @param {Mutation} mutation @returns {string} its folder */
function mutated({ name, from, to }) {
  const folder = mkdtempSync(join(tmpdir(), "motionboard-"));
  const copy = join(folder, "motionboard");
  cpSync(LIBRARY, copy, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const files = readdirSync(copy).filter((file) => file.endsWith(".js")).map((file) => join(copy, file));
  const places = files.filter((file) => readFileSync(file, "utf8").split(from).length > 1);
  const [file] = places;
  if (!file || places.length > 1 || readFileSync(file, "utf8").split(from).length > 2) {
    rmSync(folder, { recursive: true });
    throw new Error(`${name}: ${JSON.stringify(from)} is ${places.length ? "more than once" : "nowhere"} in the library: say it anew in mistakes.js`);
  }
  writeFileSync(file, readFileSync(file, "utf8").replace(from, () => to));
  return copy;
}

/** Whether a test file finds a mistake. @param {Mutation} mutation @param {string} file */
export function isCaught(mutation, file) {
  const copy = mutated(mutation);
  try {
    const env = { ...process.env, MOTIONBOARD_LIBRARY: `file://${copy}/`, NODE_TEST_CONTEXT: undefined };
    const { status } = spawnSync(process.execPath, ["--test", join(TESTS, file)], { env, encoding: "utf8", timeout: 120_000 });
    return status !== 0;
  } finally {
    rmSync(join(copy, ".."), { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const part = process.argv[2] ?? "";
  let missed = 0;
  for (const mutation of MUTATIONS.filter(({ name }) => name.includes(part))) {
    for (const file of mutation.caughtBy) {
      const isFound = isCaught(mutation, file);
      missed += Number(!isFound);
      console.log(`${isFound ? "caught" : "MISSED"}  ${mutation.name}  (${file})`);
    }
  }
  process.exitCode = missed ? 1 : 0;
}
