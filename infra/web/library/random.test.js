import assert from "node:assert/strict";
import test from "node:test";
import { KINDS, run } from "./random.js";

// MOTIONBOARD_SEED=n repeats one seed; MOTIONBOARD_SECONDS=n looks for longer.
const ONE = process.env["MOTIONBOARD_SEED"];
const SECONDS = Number(process.env["MOTIONBOARD_SECONDS"] ?? 12);
const FIRST = Number(ONE ?? Math.floor(Math.random() * 1e9));
const share = (SECONDS * 1_000) / Object.keys(KINDS).length;

for (const name of Object.keys(KINDS)) {
  test(`nothing is lost, doubled or different in the end: ${name}`, async (context) => {
    const end = performance.now() + share;
    let seed = FIRST;
    for (; performance.now() < end && (!ONE || seed === FIRST); seed += 1) {
      await run(seed, name).catch((error) => assert.fail(`MOTIONBOARD_SEED=${seed}: ${error.message}`));
    }
    context.diagnostic(`${seed - FIRST} seeds from ${FIRST}`);
  });
}
