// Screenshots of the studio in three sizes and both themes, to be looked at: `node page/shots.js [DIRECTORY]`.

import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SIZES, launch, openStudio } from "./browser.js";
import { png } from "./pictures.js";
import { startStack } from "./stack.js";

const directory = process.argv[2] ?? await mkdtemp(join(tmpdir(), "motionboard-shots-"));
await mkdir(directory, { recursive: true });
const [stack, browser] = await Promise.all([startStack(), launch()]);
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
      const studio = await openStudio(context, stack.url);
      const shoot = async (/** @type {string} */ name) => void await studio.page.screenshot({ path: join(directory, `${size}-${colorScheme}-${name}.png`) });
      if (await studio.cards.count() === 0) await shoot("1-empty");
      await studio.add();
      await shoot("2-new");
      await studio.choose("picture.png", "image/png", png({ width: 1280, height: 720, colour: [Math.random() * 255, 120, 190] }));
      await studio.part("upload").waitFor({ state: "hidden" });
      await studio.choice("camera_movement").fill("推进");
      await studio.choice("camera_movement").press("Escape");
      await studio.prompt.fill("人物缓缓转身，看向镜头，风吹起衣角");
      await studio.part("assistant-input").fill("更有电影感");
      await studio.part("assistant-send").click();
      await studio.part("exchange").first().waitFor();
      await studio.saved();
      await shoot("3-ready");
      await studio.part("generate").click();
      await studio.part("generating").waitFor();
      await shoot("4-generating");
      await studio.page.waitForFunction(() => document.querySelector("video")?.checkVisibility());
      await shoot("5-completed");
      await studio.prompt.fill("人物缓缓转身 #fail");
      await studio.saved();
      await studio.part("generate").click();
      await studio.part("failure").waitFor();
      await shoot("6-failed");
      await context.close();
    }
  }
  console.log(directory);
} finally {
  await browser.close();
  await stack.stop();
}
