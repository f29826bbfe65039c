// The bad days: the cable is pulled, the server is killed, the page is closed in mid-sentence.

import assert from "node:assert/strict";
import test from "node:test";
import { openStudio, stored, usable } from "./browser.js";
import { serveStudio } from "./host.js";
import { layCable } from "./stack.js";
import { shareWorld } from "./world.js";

const world = shareWorld();

/** @param {string} text */
const isStored = async (text) => (await stored(world.stack.url)).some(({ form_data }) => form_data.motion_prompt === text);

test("the cable is pulled in mid-typing and plugged in again: everything typed is stored", async () => {
  const cable = await layCable(world.stack.url);
  const context = await world.browser.newContext();
  const studio = await openStudio(context, cable.url);
  await studio.add();
  await studio.saved();
  await studio.prompt.focus();
  await studio.page.keyboard.type("前半句，");
  cable.pull();
  await studio.page.keyboard.type("后半句");
  await studio.connection("reconnecting");
  assert.equal(await studio.prompt.inputValue(), "前半句，后半句");
  assert.equal(await isStored("前半句，后半句"), false);
  cable.plug();
  await studio.connection("open");
  await studio.saved();
  assert.ok(await isStored("前半句，后半句"));
  await context.close();
  await cable.remove();
});

test("what was typed without a network survives a reload without one, and is shown and stored once there is one", async () => {
  const cable = await layCable(world.stack.url);
  const host = await serveStudio(cable.url);
  const context = await world.browser.newContext();
  const studio = await openStudio(context, host.url);
  await studio.add();
  await studio.saved();
  cable.pull();
  await studio.prompt.fill("没有网络时写的");
  await studio.page.reload();
  await studio.page.getByText("暂时打不开工作空间").waitFor();
  cable.plug();
  await studio.prompted("没有网络时写的");
  await studio.saved();
  assert.ok(await isStored("没有网络时写的"));
  await context.close();
  host.close();
  await cable.remove();
});

test("a page that is closed right after the last keystroke loses nothing: another one sends it", async () => {
  const cable = await layCable(world.stack.url);
  const context = await world.browser.newContext();
  const studio = await openStudio(context, cable.url);
  await studio.add();
  await studio.saved();
  cable.pull();
  await studio.prompt.fill("关闭前的最后一句");
  await studio.page.close({ runBeforeUnload: false });
  cable.plug();
  const other = await openStudio(context, cable.url);
  await other.saved();
  for (const end = Date.now() + 10_000; !(await isStored("关闭前的最后一句")) && Date.now() < end;) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(await isStored("关闭前的最后一句"));
  await context.close();
  await cable.remove();
});

test("the server is killed and comes back: the page says so, keeps what is typed, and goes on by itself", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  await studio.add();
  await studio.prompt.fill("断电之前");
  await studio.saved();
  await world.stack.kill();
  await studio.connection("reconnecting");
  await studio.prompt.fill("断电之后");
  await studio.add();
  await studio.prompt.fill("断电时新建");
  await world.stack.restart();
  await studio.connection("open");
  await studio.saved();
  assert.ok(await isStored("断电之后"));
  assert.ok(await isStored("断电时新建"));
  assert.equal((await stored(world.stack.url)).filter(({ form_data }) => form_data.motion_prompt === "断电时新建").length, 1);
  await context.close();
});

test("an API that can't be reached from the start: the page says so, keeps trying, and goes on by itself", async () => {
  const cable = await layCable(world.stack.url);
  const host = await serveStudio(cable.url);
  cable.pull();
  const context = await world.browser.newContext();
  const studio = await openStudio(context, host.url, { ready: false });
  await studio.page.getByText("暂时打不开工作空间").waitFor();
  cable.plug();
  await studio.connection("open");
  await usable(studio.page);
  await context.close();
  host.close();
  await cable.remove();
});
