// How heavy the page is, how soon it can be used, and whether 200 workspaces are smooth. The figures are printed.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { SIZES, openStudio, stored, usable } from "./browser.js";
import { shareWorld } from "./world.js";

const WEB = fileURLToPath(new URL("../../../web/", import.meta.url));
/** Everything on first load, gzipped one by one as a static host does. */
const FIRST_LOAD_LIMIT = 60 * 1024;
const WORKSPACES = 200;

const world = shareWorld();

/** Fills the board over the wire. @param {number} count */
async function fill(count) {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  await studio.page.evaluate(async (count) => {
    const { Motionboard } = await import(/** @type {any} */ ("/motionboard.js"));
    const board = new Motionboard({ account: "filler" });
    await board.open();
    const keys = Array.from({ length: count }, () => board.create());
    for (const [index, key] of keys.entries()) board.edit(key, { "form_data.motion_prompt": `第 ${index + 1} 个镜头，缓缓推进`, "form_data.lighting": "逆光" });
    await new Promise((resolve) => {
      const look = () => board.state.saving === "saved" && resolve(null);
      board.subscribe(look);
      look();
    });
    board.close();
  }, count);
  await context.close();
}

test("everything on first load is under 60 KB, gzipped, and no file is asked for twice", async (t) => {
  const context = await world.browser.newContext();
  const page = await context.newPage();
  /** @type {string[]} */
  const files = [];
  page.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (origin === world.stack.url && !pathname.startsWith("/api/")) files.push(pathname === "/" ? "/index.html" : pathname);
  });
  await page.goto(world.stack.url);
  await usable(page);
  const sizes = await Promise.all(files.map(async (file) => gzipSync(await readFile(join(WEB, file)), { level: 9 }).length));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const library = files.reduce((sum, file, index) => sum + (file.startsWith("/motionboard") ? sizes[index] ?? 0 : 0), 0);
  t.diagnostic(`first load: ${files.length} files, ${total} bytes gzipped, ${library} of them the library`);
  assert.equal(new Set(files).size, files.length);
  assert.ok(total < FIRST_LOAD_LIMIT, `${total} bytes`);
  await context.close();
});

test("the time from navigation to a usable board", async (t) => {
  const times = [];
  for (let visit = 0; visit < 5; visit += 1) {
    const context = await world.browser.newContext();
    const page = await context.newPage();
    await page.goto(world.stack.url);
    times.push(Math.round(await usable(page)));
    await context.close();
  }
  const [median = Infinity] = times.sort((a, b) => a - b).slice(2);
  t.diagnostic(`navigation to a usable empty board, ms, five first visits: ${times.join(", ")}`);
  assert.ok(median < 2_000, `${median} ms`);
});

test("200 workspaces stay smooth: typing, choosing, scrolling, a push", async (t) => {
  await fill(WORKSPACES);
  const context = await world.browser.newContext({ viewport: SIZES.desktop });
  const studio = await openStudio(context, world.stack.url);
  const { page } = studio;
  t.diagnostic(`navigation to a usable board of ${WORKSPACES}, ms: ${Math.round(await usable(page))}`);
  assert.equal(await studio.cards.count(), WORKSPACES);
  await page.evaluate(() => {
    /** @type {number[]} */
    const long = [];
    new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => Math.round(duration)))).observe({ type: "longtask" });
    Object.assign(window, { long });
  });
  const measured = async (/** @type {string} */ what, /** @type {() => Promise<unknown>} */ action) => {
    await page.evaluate(() => void (/** @type {any} */ (window).long.length = 0));
    await action();
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))));
    const long = /** @type {number[]} */ (await page.evaluate(() => [.../** @type {any} */ (window).long]));
    t.diagnostic(`${what}: ${long.length} tasks over 50 ms${long.length ? `, the longest ${Math.max(...long)} ms` : ""}`);
    return Math.max(0, ...long);
  };
  await studio.cards.nth(100).getByRole("button").first().click();
  const worst = [
    await measured("typing 60 characters", async () => {
      await studio.prompt.focus();
      await page.keyboard.type("人物缓缓转身看向镜头风吹起衣角".repeat(4));
      await studio.saved();
    }),
    await measured("choosing 20 workspaces", async () => {
      for (let index = 100; index < 120; index += 1) await studio.cards.nth(index).getByRole("button").first().click();
    }),
    await measured("scrolling the board to its end", async () => {
      await studio.part("board").hover();
      for (let step = 0; step < 20; step += 1) await page.mouse.wheel(0, 1_000);
    }),
    await measured("a list that is loaded again", async () => {
      const loaded = page.waitForResponse((response) => response.url().endsWith("/api/workspaces"));
      await page.evaluate(() => void document.dispatchEvent(new Event("visibilitychange")));
      await loaded;
    }),
  ];
  assert.ok(Math.max(...worst) < 200, `a task of ${Math.max(...worst)} ms`);
  assert.equal((await stored(world.stack.url)).length, WORKSPACES);
  await context.close();
});
