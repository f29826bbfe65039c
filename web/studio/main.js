/// <reference path="types.d.ts" />
import config from "../config.js";
import { Motionboard } from "../motionboard.js";
import { createActions, createGeneration } from "./actions.js";
import { byId } from "./dom.js";
import { loadChoiceLists } from "./fields.js";
import { mountHeader } from "./header.js";
import { onLanguage, ready, translate } from "./i18n.js";
import { mountInspector } from "./inspector.js";
import { enableIntake } from "./pictures.js";
import { errorText, showToast } from "./messages.js";
import { mountRail } from "./rail.js";
import { createSelection } from "./selection.js";
import { mountStage } from "./stage.js";
import { pastedToken } from "./remember.js";

await ready;
translate(document.body);

const board = new Motionboard({ ...config, getToken: config.getToken ?? pastedToken });
const drawSoon = oncePerMoment(draw);
const selection = createSelection(() => board.state, drawSoon);
/** @type {App} */
const app = { board, uploads: new Map(), select: selection.select, selected: selection.follow, changed: drawSoon };

const onBroken = refreshOnce();
const generation = createGeneration(app);
const actions = createActions(app, (key) => rail.focus(key));
const header = mountHeader(byId("top"), app, signIn);
const rail = mountRail(byId("board"), app, actions, onBroken);
const stage = mountStage(byId("stage"), app, actions, generation, onBroken);
const inspector = mountInspector(byId("inspector"), app, generation);
/** @type {BoardState["connection"] | undefined} */
let lastConnection;
let asked = false;

enableIntake(app, actions);
byId("skip").addEventListener("click", (event) => {
  // The hash is the selection's.
  event.preventDefault();
  byId("stage").focus();
});
board.on("error", (error) => showToast({ text: errorText(error), bad: true }));
board.on("lost", async ({ workspace, updates }) => (await import("./rescue.js")).offerRescue(app, workspace, updates));
board.subscribe(drawSoon);
onLanguage(drawSoon);
for (const sign of ["pointermove", "pointerdown", "keydown"]) addEventListener(sign, loadTheRest, { once: true, passive: true });
draw();
void board.open();

/** Shows the board as it is now. Each part changes only what differs from what it shows already. */
function draw() {
  const { state } = board;
  const selected = selection.follow();
  generation.follow(state.workspaces);
  header(state);
  rail.update(state, selected);
  stage(state, selected);
  inspector(state, selected);
  followSignIn(state);
  if (state.loaded && performance.getEntriesByName("usable").length === 0) performance.mark("usable");
}

/** @param {BoardState} state */
async function followSignIn({ connection }) {
  if (connection === lastConnection) return;
  lastConnection = connection;
  if (connection === "unauthorized" && !config.getToken) void signIn();
  if (connection === "open" && asked) (await import("./sign-in.js")).stopAsking();
}

/** A team's own sign-in knows what to do when it is asked for another token. */
async function signIn() {
  if (config.getToken) return board.retry();
  asked = true;
  (await import("./sign-in.js")).askForToken(() => board.retry());
}

/** What only a person's doing needs is loaded at the first sign of one: early enough to be there when the network is gone. */
function loadTheRest() {
  const parts = [import("./menu.js"), import("./drag.js"), loadChoiceLists(), import("./uploading.js"), import("./proposals.js"), import("./rescue.js")];
  for (const part of parts) part.catch(() => undefined);
}

/** A picture that doesn't load has an address that ran out: the list has new ones. Asked for once for each address. */
function refreshOnce() {
  /** @type {Set<string>} */
  const asked = new Set();
  return (/** @type {string} */ url) => {
    drawSoon();
    if (url.startsWith("blob:") || asked.has(url)) return;
    asked.add(url);
    board.refresh().catch(() => undefined);
  };
}

/** Many calls of one moment become one. @param {() => void} run */
function oncePerMoment(run) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      run();
    });
  };
}
