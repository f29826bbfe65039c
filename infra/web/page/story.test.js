// The whole story, as a new user would live it.

import assert from "node:assert/strict";
import test from "node:test";
import { openStudio, stored } from "./browser.js";
import { png } from "./pictures.js";
import { shareWorld } from "./world.js";

const world = shareWorld();

test("create, upload, type, suggest, accept, generate, watch, again, fail, retry, cancel, reload", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  const { page } = studio;

  assert.equal(await studio.cards.count(), 0);
  await studio.add();
  await studio.choose("picture.png", "image/png", png());
  await studio.part("upload").waitFor({ state: "hidden" });
  await studio.choice("camera_movement").fill("推进");
  await studio.choice("camera_movement").press("Escape");
  await studio.prompt.fill("人物缓缓转身");
  await studio.saved();
  const [made] = await stored(world.stack.url);
  assert.equal(made.form_data.camera_movement, "推进");
  assert.equal(made.form_data.motion_prompt, "人物缓缓转身");
  assert.match(made.image_path, /^uploads\/.+\.png$/);

  await studio.part("assistant-input").fill("优化运镜");
  await studio.part("assistant-send").click();
  const exchange = studio.part("exchange").first();
  await exchange.waitFor();
  const reasoning = (await stored(world.stack.url))[0].ai_collaboration[0].suggestions.reasoning;
  assert.ok((await exchange.textContent())?.includes(reasoning), "the assistant's reasoning is shown");
  await studio.part("accept-camera_movement").first().click();
  await studio.saved();
  const [accepted] = await stored(world.stack.url);
  assert.equal(accepted.form_data.camera_movement, accepted.ai_collaboration[0].suggestions.camera_movement);
  assert.notEqual(accepted.form_data.camera_movement, "推进");

  await studio.part("generate").click();
  await studio.part("generating").waitFor();
  await page.waitForFunction(() => /0:0[1-9]/.test(document.querySelector("[data-testid=elapsed]")?.textContent ?? ""));
  await watched(page);

  await studio.part("generate").click();
  await studio.part("generating").waitFor();
  await watched(page);
  assert.equal((await stored(world.stack.url))[0].video.history.length, 1);
  assert.ok(await studio.part("takes").getByRole("button").count() >= 3, "the picture and two takes can be looked at");

  await studio.prompt.fill("人物缓缓转身 #fail");
  await studio.saved();
  await studio.part("generate").click();
  await studio.part("failure").waitFor();
  const reason = (await stored(world.stack.url))[0].video.error;
  assert.ok(reason && (await studio.part("failure").textContent())?.includes(reason), "the vendor's reason is shown");
  await studio.prompt.fill("人物缓缓转身 #stall");
  await studio.saved();
  await studio.part("failure").getByTestId("video-retry").click();
  await studio.part("generating").waitFor();
  await studio.part("cancel").click();
  await studio.part("failure").waitFor();
  assert.equal((await stored(world.stack.url))[0].video.status, "failed");

  await page.reload();
  await studio.prompted("人物缓缓转身 #stall");
  assert.equal(await studio.cards.count(), 1);
  assert.equal(await studio.part("exchange").count() >= 1, true);
  assert.deepEqual(studio.complaints, []);
  await context.close();
});

test("a workspace that is deleted can be brought back for five seconds, and is gone after", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  const before = (await stored(world.stack.url)).length;
  await studio.add();
  await studio.prompt.fill("要删除的");
  await studio.saved();
  const remove = async () => {
    const card = studio.cards.filter({ hasText: "要删除的" }).getByRole("button").first();
    await card.focus();
    await card.press("Delete");
    await studio.part("toast").waitFor();
  };
  await remove();
  assert.equal(await studio.cards.count(), before);
  assert.equal((await stored(world.stack.url)).length, before + 1, "nothing is sent while it can be undone");
  await studio.part("toast").getByRole("button", { name: "撤销" }).click();
  assert.equal(await studio.cards.count(), before + 1);
  await remove();
  await studio.part("toast").waitFor({ state: "detached" });
  for (const end = Date.now() + 10_000; (await stored(world.stack.url)).length > before && Date.now() < end;) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal((await stored(world.stack.url)).length, before);
  assert.deepEqual(studio.complaints, []);
  await context.close();
});

test("workspaces are put in order by the keyboard and by dragging, for all tabs", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  for (const text of ["甲", "乙", "丙"]) {
    await studio.add();
    await studio.prompt.fill(text);
  }
  await studio.saved();
  const order = async () => (await stored(world.stack.url)).map(({ form_data }) => form_data.motion_prompt).filter((text) => "甲乙丙".includes(text)).join("");
  const shown = () => studio.page.evaluate(() =>
    [...document.querySelectorAll("[data-testid=card]")].map((card) => /[甲乙丙]/.exec(card.textContent ?? "")?.[0] ?? "").join(""));
  assert.equal(await order(), "甲乙丙");
  const last = studio.cards.filter({ hasText: "丙" }).getByRole("button").first();
  await last.focus();
  await last.press("Alt+ArrowUp");
  await studio.saved();
  assert.equal(await order(), "甲丙乙");
  const from = await studio.cards.filter({ hasText: "乙" }).boundingBox();
  const to = await studio.cards.filter({ hasText: "甲" }).boundingBox();
  assert.ok(from && to);
  const { mouse } = studio.page;
  await mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await mouse.down();
  for (let step = 1; step <= 10; step += 1) {
    const fraction = step / 10;
    await mouse.move(to.x + to.width / 2, from.y + from.height / 2 + (to.y + 4 - from.y - from.height / 2) * fraction);
  }
  await mouse.up();
  await studio.page.waitForFunction(() => [...document.querySelectorAll("[data-testid=card]")].map((card) => /[甲乙丙]/.exec(card.textContent ?? "")?.[0] ?? "").join("") === "乙甲丙");
  await studio.saved();
  assert.equal(await order(), "乙甲丙");
  await studio.page.reload();
  await studio.prompt.waitFor();
  assert.equal(await shown(), "乙甲丙");
  assert.deepEqual(studio.complaints, []);
  await context.close();
});

/** Waits for a video that plays. @param {import("playwright-core").Page} page */
async function watched(page) {
  await page.waitForFunction(() => {
    const video = /** @type {HTMLVideoElement | null} */ (document.querySelector("video[data-testid=player], [data-testid=player] video"));
    return video && video.checkVisibility() && video.readyState >= 1 && video.duration > 0;
  });
  await page.evaluate(async () => {
    const video = /** @type {HTMLVideoElement} */ (document.querySelector("video[data-testid=player], [data-testid=player] video"));
    video.muted = true;
    await video.play();
  });
  await page.waitForFunction(() => {
    const video = /** @type {HTMLVideoElement} */ (document.querySelector("video[data-testid=player], [data-testid=player] video"));
    return video.currentTime > 0.1;
  });
}
