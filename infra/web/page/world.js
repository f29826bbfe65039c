import { after, before } from "node:test";
import { launch } from "./browser.js";
import { startStack } from "./stack.js";

/**
 * A stack and a browser for the tests of one file, which share them.
 * @param {Parameters<typeof startStack>[0]} [options]
 */
export function shareWorld(options) {
  const world = {
    /** @type {import("./stack.js").Stack} */
    stack: /** @type {any} */ (null),
    /** @type {import("playwright-core").Browser} */
    browser: /** @type {any} */ (null),
  };
  before(async () => {
    [world.stack, world.browser] = await Promise.all([startStack(options), launch()]);
  });
  after(async () => {
    await world.browser?.close();
    await world.stack?.stop();
  });
  return world;
}
