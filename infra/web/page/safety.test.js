// A strict policy, text that is never HTML, a page on a host of its own, tokens.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openStudio, usable } from "./browser.js";
import { serveStudio } from "./host.js";
import { png } from "./pictures.js";
import { shareWorld } from "./world.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const WEB = join(ROOT, "web");
const SECRET = "a secret that only this test knows, of forty letters";
const MARKUP = `<img src=x onerror="window.broken=1"><script>window.broken=1</script><b>粗</b>`;

const world = shareWorld({ args: ["--parameter", "Authentication=secret"], env: { AUTH_SECRET: SECRET } });

/** A token, as README's "Owners" makes one. @param {string} owner */
async function tokenOf(owner) {
  const { stdout } = await promisify(execFile)(join(ROOT, "target/debug/token"), [owner], { cwd: ROOT, env: { ...process.env, AUTH_SECRET: SECRET } });
  return stdout.trim();
}

test("nothing in the page's code makes HTML of text, or runs text", async () => {
  const files = (await readdir(WEB, { recursive: true })).filter((file) => /\.(js|html)$/.test(file));
  assert.ok(files.length > 20);
  const forbidden = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|srcdoc|\beval\(|new Function|javascript:|\son[a-z]+="|<script(?![^>]*\bsrc=)|<style|\sstyle="/;
  for (const file of files) {
    const match = forbidden.exec(await readFile(join(WEB, file), "utf8"));
    assert.equal(match, null, `${file}: ${match?.[0]}`);
  }
});

test("a page on a host of its own, with a strict policy and tokens: markup is text, pictures and videos are signed", async () => {
  const token = await tokenOf("alice");
  const host = await serveStudio(world.stack.url, token);
  const context = await world.browser.newContext();
  const studio = await openStudio(context, host.url);
  const { page } = studio;
  await studio.add();
  await studio.choose("picture.png", "image/png", png());
  await page.waitForFunction(() => [...document.querySelectorAll("img")].some(({ src, naturalWidth }) => src.includes("signature=") && naturalWidth === 640));
  await studio.prompt.fill(MARKUP);
  await studio.choice("lighting").fill(MARKUP);
  await studio.choice("lighting").press("Escape");
  await studio.saved();
  await studio.part("assistant-input").fill(`${MARKUP} 优化运镜`);
  await studio.part("assistant-send").click();
  await studio.part("exchange").first().waitFor();
  await studio.part("generate").click();
  await page.waitForFunction(() => {
    const video = document.querySelector("video");
    return video?.checkVisibility() && video.readyState >= 1;
  });
  await page.reload();
  await studio.prompted(MARKUP);
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).broken), undefined);
  assert.equal(await page.locator("[data-testid=exchange] img, [data-testid=card] b, [data-testid=exchange] b").count(), 0);
  assert.ok((await studio.part("exchange").first().textContent())?.includes(MARKUP));
  assert.deepEqual(studio.complaints.filter((text) => !/TrustedScriptURL/.test(text)), []);
  await context.close();
  host.close();
});

test("who isn't signed in is asked for a token, and sees nobody else's board", async () => {
  const context = await world.browser.newContext();
  const studio = await openStudio(context, world.stack.url, { ready: false });
  const { page } = studio;
  await studio.part("sign-in").waitFor();
  const signIn = async (/** @type {string} */ token) => {
    await studio.part("sign-in").getByRole("textbox").fill(token);
    await page.keyboard.press("Enter");
  };
  await signIn("no.such.token");
  await studio.part("sign-in").waitFor();
  await signIn(await tokenOf("bob"));
  await usable(page);
  await studio.connection("open");
  assert.equal(await studio.cards.count(), 0);
  await studio.add();
  await studio.prompt.fill("鲍勃的");
  await studio.saved();
  await page.reload();
  await studio.prompted("鲍勃的");
  const answer = await (await fetch(`${world.stack.url}/api/workspaces`, { headers: { authorization: `Bearer ${await tokenOf("bob")}` } })).json();
  assert.deepEqual(answer.data.workspaces.map((/** @type {any} */ { form_data }) => form_data.motion_prompt), ["鲍勃的"]);
  await context.close();
});

test("a workspace that another tab deletes while something is typed there can be saved as a new one", async () => {
  const token = await tokenOf("carol");
  const host = await serveStudio(world.stack.url, token);
  const context = await world.browser.newContext();
  const one = await openStudio(context, host.url);
  await one.add();
  await one.prompt.fill("先前的");
  await one.saved();
  await one.page.evaluate(async ({ api, token }) => {
    const { Motionboard } = await import(/** @type {any} */ ("/motionboard.js"));
    const board = new Motionboard({ api, socket: api.replace("http", "ws"), getToken: () => token, account: "other" });
    await board.open();
    Object.assign(window, { other: board });
    await new Promise((resolve) => {
      const look = () => board.state.connection === "open" && resolve(null);
      board.subscribe(look);
      look();
    });
  }, { api: world.stack.url, token });
  await one.prompt.fill("刚刚写的");
  await one.page.evaluate(() => {
    const { other } = /** @type {any} */ (window);
    other.remove(other.state.workspaces[0]._id);
  });
  await one.part("toast").getByRole("button", { name: "另存为新工作空间" }).click();
  await one.prompted("刚刚写的");
  await one.saved();
  const answer = await (await fetch(`${world.stack.url}/api/workspaces`, { headers: { authorization: `Bearer ${token}` } })).json();
  assert.deepEqual(answer.data.workspaces.map((/** @type {any} */ { form_data }) => form_data.motion_prompt), ["刚刚写的"]);
  await context.close();
  host.close();
});
