// For everybody: axe in every state, in both themes and all sizes; everything by keyboard; both languages.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import test from "node:test";
import { SIZES, openStudio, stored } from "./browser.js";
import { png } from "./pictures.js";
import { shareWorld } from "./world.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const world = shareWorld();

/** What axe finds serious or critical, as text. @param {import("playwright-core").Page} page @returns {Promise<string[]>} */
async function findings(page) {
  // By the debugger, which the page's policy doesn't bind.
  await page.evaluate(await readFile(AXE, "utf8"));
  return page.evaluate(async () => {
    // Between two colours there are others, for a moment.
    const ending = document.getAnimations().filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map(({ finished }) => finished));
    const { violations } = await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter((/** @type {any} */ { impact }) => impact === "serious" || impact === "critical")
      .map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.target.join(" ")).join(", ")}`);
  });
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const [name, viewport] of Object.entries(SIZES)) {
    test(`axe finds nothing serious: ${colorScheme}, ${name}`, async () => {
      const context = await world.browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
      const studio = await openStudio(context, world.stack.url);
      const { page } = studio;
      /** @type {{ [state: string]: string[] }} */
      const found = {};
      const look = async (/** @type {string} */ state) => {
        const serious = await findings(page);
        if (serious.length) found[state] = serious;
      };
      await look("as it opens");
      await studio.add();
      await look("a new workspace");
      await studio.choose("picture.png", "image/png", png());
      await studio.part("upload").waitFor({ state: "hidden" });
      await studio.choice("camera_movement").click();
      await look("a list of choices is open");
      await studio.choice("camera_movement").press("Escape");
      await studio.prompt.fill("人物转身 #stall");
      await studio.saved();
      await studio.part("assistant-input").fill("更有电影感");
      await studio.part("assistant-send").click();
      await studio.part("exchange").first().waitFor();
      await look("a suggestion");
      await studio.part("generate").click();
      await studio.part("cancel").waitFor();
      await look("generating");
      await page.waitForFunction(() => document.querySelector("[data-testid=cancel]")?.getAttribute("aria-disabled") !== "true");
      await studio.part("cancel").click();
      await studio.part("failure").waitFor();
      await look("failed");
      await studio.prompt.fill("人物转身");
      await studio.part("generate").click();
      await page.waitForFunction(() => document.querySelector("video")?.checkVisibility());
      await look("completed");
      await studio.cards.last().getByRole("button").first().focus();
      await page.keyboard.press("Delete");
      await studio.part("toast").waitFor();
      await look("a message");
      assert.deepEqual(found, {});
      await context.close();
    });
  }
}

test("a video is made by the keyboard alone", async () => {
  const context = await world.browser.newContext({ viewport: SIZES.desktop });
  const studio = await openStudio(context, world.stack.url);
  const { page } = studio;
  const { keyboard } = page;
  const before = await studio.cards.count();
  const focused = () => page.evaluate(() => {
    const element = /** @type {HTMLElement} */ (document.activeElement);
    return element.dataset["testid"] ?? (element.id || element.tagName);
  });
  /** Tabs on until something has the focus that the keyboard shows. @param {string} wanted */
  const tabTo = async (wanted) => {
    for (let step = 0; step < 60; step += 1) {
      if (await focused() === wanted) return;
      await keyboard.press("Tab");
    }
    assert.fail(`Tab never reaches ${wanted}`);
  };
  await tabTo("add");
  await keyboard.press("Enter");
  await page.waitForFunction((count) => document.querySelectorAll("[data-testid=card]").length > count, before);
  await studio.choose("picture.png", "image/png", png());
  await studio.part("upload").waitFor({ state: "hidden" });
  await tabTo("field-camera_movement");
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await tabTo("prompt");
  await keyboard.type("人物转身");
  await tabTo("generate");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("video")?.checkVisibility());
  const made = (await stored(world.stack.url)).at(-1);
  assert.notEqual(made.form_data.camera_movement, "");
  assert.equal(made.form_data.motion_prompt, "人物转身");
  await context.close();
});

/** Chinese that is shown, but for what people and the assistant wrote. @param {import("playwright-core").Page} page */
const chinese = (page) => page.evaluate(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const { parentElement } = node;
    const isOwn = parentElement?.closest("[data-testid=card], [data-testid=exchange], [lang], noscript")?.matches(":not(html)");
    if (!isOwn && parentElement?.checkVisibility() && /[\u4e00-\u9fff]/.test(node.textContent ?? "")) texts.push(node.textContent);
  }
  return texts;
});

test("the interface is Chinese, and English by a switch that is remembered", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  const { page } = studio;
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  await studio.part("language").click();
  await page.waitForFunction(() => document.documentElement.lang.startsWith("en"));
  // What is made, and what was made, before the page is loaded anew.
  await studio.add();
  assert.deepEqual(await chinese(page), []);
  await page.reload();
  await page.waitForFunction(() => document.documentElement.lang.startsWith("en") && document.querySelector("[data-testid=generate]")?.textContent);
  assert.deepEqual(await chinese(page), []);
  await context.close();
});
