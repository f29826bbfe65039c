import assert from "node:assert/strict";
import test from "node:test";
import { MUTATIONS } from "./mistakes.js";
import { isCaught } from "./mutations.js";

// All of them: `node infra/web/library/mutations.js`.
const QUICK = ["the receiver rule is skipped", "drafts are not kept", "a repeat is another frame", "what was typed before a workspace was made is lost"];

// At most: it ends with the first seed that finds it.
process.env["MOTIONBOARD_SECONDS"] = "20";

for (const name of QUICK) {
  test(`the random test finds it where ${name}`, { skip: process.env["MOTIONBOARD_LIBRARY"] ? "this is a mutation already" : false }, () => {
    const mutation = MUTATIONS.find((one) => one.name === name);
    assert.ok(mutation);
    assert.ok(isCaught(mutation, "random.test.js"));
  });
}
