// Pictures: large ones, wrong ones, dropped and pasted ones.

import assert from "node:assert/strict";
import test from "node:test";
import { openStudio, stored } from "./browser.js";
import { png } from "./pictures.js";
import { shareWorld } from "./world.js";

const world = shareWorld();

/** Waits until the stage shows an uploaded picture of this width. @param {import("playwright-core").Page} page @param {number} width */
const shows = (page, width) => page.waitForFunction((wanted) => {
  const picture = [...document.querySelectorAll("[data-testid=stage] img")].find((image) => image.checkVisibility());
  return picture instanceof HTMLImageElement && picture.src.includes("/api/uploads/") && picture.complete && picture.naturalWidth === wanted;
}, width);

test("a picture of 9 MB goes straight to the store, with progress, and a video is made of it", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  /** @type {string[]} */
  const requests = [];
  studio.page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).origin === world.stack.url ? "API" : "store"}`));
  await studio.add();
  await studio.choose("large.png", "image/png", png({ width: 800, height: 600, bytes: 9_000_000 }));
  await shows(studio.page, 800);
  await studio.saved();
  assert.ok(requests.includes("PUT store"), requests.join(", "));
  await studio.part("generate").click();
  await studio.page.waitForFunction(() => document.querySelector("video")?.checkVisibility());
  assert.equal((await stored(world.stack.url))[0].video.status, "completed");
  assert.deepEqual(studio.complaints, []);
  await context.close();
});

test("what is no picture, and what is over 10 MB, is refused before it is sent, with the limit", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  let uploads = 0;
  studio.page.on("request", (request) => void (uploads += Number(request.url().includes("/api/upload/"))));
  await studio.add();
  await studio.saved();
  await studio.choose("picture.png", "image/png", Buffer.from("GIF89a and nothing that is a PNG"));
  await studio.page.getByText("只支持 JPEG、PNG 和 WebP").first().waitFor();
  await studio.choose("huge.png", "image/png", png({ bytes: 10 * 1024 * 1024 + 1 }));
  await studio.page.getByText("10 MB，请压缩").first().waitFor();
  assert.equal(uploads, 0);
  assert.deepEqual(studio.complaints, []);
  await context.close();
});

test("a picture can be dropped and pasted", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  await studio.add();
  await studio.saved();
  const give = (/** @type {"drop" | "paste"} */ how, /** @type {number[]} */ bytes) => studio.page.evaluate(({ how, bytes }) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "picture.png", { type: "image/png" }));
    const target = /** @type {HTMLElement} */ (document.querySelector("[data-testid=stage]"));
    const options = { bubbles: true, cancelable: true };
    if (how === "paste") target.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
    else for (const type of ["dragenter", "dragover", "drop"]) target.dispatchEvent(new DragEvent(type, { ...options, dataTransfer: data }));
  }, { how, bytes });
  await give("drop", [...png({ width: 320, height: 320 })]);
  await shows(studio.page, 320);
  await give("paste", [...png({ width: 480, height: 320 })]);
  await shows(studio.page, 480);
  await studio.saved();
  assert.deepEqual(studio.complaints, []);
  await context.close();
});

test("an upload that breaks off can be tried again with the same file, and can be stopped", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url);
  await studio.add();
  await studio.saved();
  await context.route("**/api/upload/image", (route) => route.fulfill({ status: 400, contentType: "application/json",
    body: JSON.stringify({ success: false, error: { code: "INVALID_PARAMS", message: "图片无法读取", details: { field: "image" } } }) }));
  await studio.choose("picture.png", "image/png", png({ width: 500 }));
  await studio.part("upload-retry").waitFor();
  await context.unrouteAll();
  await studio.part("upload-retry").click();
  await shows(studio.page, 500);
  // One that hangs.
  await context.route("**/api/upload/image", () => {});
  await studio.choose("other.png", "image/png", png({ width: 400 }));
  await studio.part("upload-cancel").click();
  await studio.part("upload").waitFor({ state: "hidden" });
  await shows(studio.page, 500);
  await context.close();
});
