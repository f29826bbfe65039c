// Two tabs of one person, and the same board in both.

import assert from "node:assert/strict";
import test from "node:test";
import { openStudio, stored } from "./browser.js";
import { png } from "./pictures.js";
import { shareWorld } from "./world.js";

const world = shareWorld();

test("what one tab does, the other shows: creation, text, picture, choice, video, deletion", async () => {
  const context = await world.browser.newContext();
  const one = await openStudio(context, world.stack.url);
  await one.add();
  await one.saved();
  const two = await openStudio(context, one.page.url());
  await one.prompt.fill("从第一个标签页");
  await two.prompted("从第一个标签页");
  await two.prompt.fill("从第二个标签页");
  await one.prompted("从第二个标签页");
  await two.choose("picture.png", "image/png", png());
  await one.page.waitForFunction(() => {
    const picture = /** @type {HTMLImageElement | null} */ (document.querySelector("[data-testid=stage] img"));
    return picture?.src.includes("/api/uploads/") && picture.complete && picture.naturalWidth === 640;
  });
  await one.choice("lighting").fill("逆光");
  await one.choice("lighting").press("Escape");
  await two.page.waitForFunction(() => /** @type {HTMLInputElement | null} */ (document.querySelector("#field-lighting"))?.value === "逆光");
  await two.part("generate").click();
  await one.part("generating").waitFor();
  for (const { page } of [one, two]) await page.waitForFunction(() => document.querySelector("video")?.checkVisibility());
  await one.add();
  await two.page.waitForFunction(() => document.querySelectorAll("[data-testid=card]").length === 2);
  assert.deepEqual([...one.complaints, ...two.complaints], []);
  await context.close();
});

test("what the other tab writes doesn't change the field that somebody is typing in, and is not lost", async () => {
  const context = await world.browser.newContext();
  const one = await openStudio(context, world.stack.url);
  await one.add();
  await one.saved();
  const two = await openStudio(context, one.page.url());
  await one.prompt.focus();
  await one.page.keyboard.type("我正在写");
  await two.prompted("我正在写");
  await two.prompt.fill("别人写的");
  await two.choice("lighting").fill("逆光");
  await two.choice("lighting").press("Escape");
  // Goes on typing until the other's later edit has come, and so the earlier one, too.
  const arrived = () => one.page.evaluate(() => /** @type {HTMLInputElement | null} */ (document.querySelector("#field-lighting"))?.value === "逆光");
  let typed = "我正在写";
  while (!(await arrived())) {
    await one.page.keyboard.type("字");
    typed += "字";
  }
  assert.equal(await one.prompt.inputValue(), typed);
  assert.equal(await one.prompt.evaluate((input) => /** @type {HTMLTextAreaElement} */ (input).selectionStart), typed.length);
  await one.saved();
  await two.prompted(typed);
  await two.prompt.fill("别人写的");
  await one.prompted("别人写的");
  const [shown] = (await stored(world.stack.url)).filter(({ form_data }) => form_data.motion_prompt === "别人写的");
  assert.ok(shown);
  assert.deepEqual([...one.complaints, ...two.complaints], []);
  await context.close();
});

test("a text that is being composed isn't sent before it is finished", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  await studio.add();
  await studio.saved();
  /** @type {string[]} */
  const sent = [];
  studio.page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(String(payload))));
  await studio.page.reload();
  await studio.prompt.focus();
  const session = await context.newCDPSession(studio.page);
  await session.send("Input.imeSetComposition", { text: "zhuan", selectionStart: 5, selectionEnd: 5 });
  // Longer than the pause after which a text is sent.
  await studio.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 700)));
  assert.equal(sent.filter((text) => text.includes("zhuan")).length, 0);
  await session.send("Input.insertText", { text: "转身" });
  await studio.saved();
  await studio.prompted("转身");
  assert.equal((await stored(world.stack.url)).some(({ form_data }) => form_data.motion_prompt === "转身"), true);
  assert.equal(sent.filter((text) => text.includes("zhuan")).length, 0);
  await context.close();
});

test("a duplicated tab is another client: neither loses what it writes", async () => {
  const context = await world.browser.newContext();
  const one = await openStudio(context, world.stack.url);
  await one.add();
  await one.saved();
  const kept = await one.page.evaluate(() => ({ ...sessionStorage }));
  const two = await context.newPage();
  // As a browser duplicates a tab: with its session storage.
  await two.addInitScript((items) => Object.entries(items).forEach(([name, value]) => sessionStorage.setItem(name, value)), kept);
  await two.goto(one.page.url());
  await two.getByTestId("prompt").waitFor();
  const clients = await Promise.all([one.page, two].map((page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("motionboard") ?? "{}").client)));
  assert.notEqual(clients[0], clients[1]);
  await context.close();
});
