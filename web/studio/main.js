import config from "../config.js";
import { Motionboard } from "../motionboard.js";
import { byId, later } from "./dom.js";
import { mountHeader } from "./header.js";
import { onLanguage, ready, t, translate } from "./i18n.js";
import { loadChoiceLists, mountInspector } from "./inspector.js";
import { enableIntake } from "./pictures.js";
import { mountRail } from "./rail.js";
import { pastedToken } from "./remember.js";
import { mountStage } from "./stage.js";
import { announce, errorText, showToast } from "./texts.js";

const SOON_MS = 2_000;
/** Whether a part of the page could not be loaded. */
let isIncomplete = false;
/** Addresses that did not load, for which the list was asked. @type {Set<string>} */
const askedFor = new Set();

await ready;
translate(document.body);

const board = new Motionboard({ ...config, getToken: config.getToken ?? pastedToken });
const drawSoon = oncePerMoment(draw);
const selection = createSelection(() => board.state, drawSoon);
/** @type {Actions | undefined} */
let actions;
/** @type {App} */
const app = {
  board,
  uploads: new Map(),
  refusals: new Map(),
  select: selection.select,
  selected: selection.follow,
  changed: drawSoon,
  create() {
    const key = board.create();
    selection.select(key);
    announce(t("announce.created"));
    return key;
  },
  act: (run) => void (actions ? run(actions) : loadActions().then(run, () => void (isIncomplete = true))),
  addPictures(key, files) {
    // The browser empties its list after the event.
    const kept = [...files];
    app.act((actions) => actions.addPictures(app, key, kept));
  },
  focusCard: (key) => rail.focus(key),
};

const onBroken = refreshOnce();
const followGenerations = later(someGenerate, async () => (await import("./generation.js")).followGenerations);
const header = mountHeader(byId("top"), app, signIn);
const rail = mountRail(byId("board"), app, onBroken);
const stage = mountStage(byId("stage"), app, onBroken);
const inspector = mountInspector(byId("inspector"), app);
/** @type {BoardState["connection"] | undefined} */
let lastConnection;
let asked = false;

enableIntake(app);
byId("skip").addEventListener("click", (event) => {
  // The hash is the selection's.
  event.preventDefault();
  byId("stage").focus();
});
board.on("error", (error) => showToast({ text: errorText(error), bad: true }));
board.on("lost", async ({ workspace, updates }) => (await import("./rescue.js")).offerRescue(app, workspace, updates));
board.subscribe(drawSoon);
onLanguage(drawSoon);
for (const sign of ["pointermove", "pointerdown", "keydown", "dragenter"]) addEventListener(sign, loadTheRest, { once: true, passive: true });
draw();
void board.open();

function draw() {
  const { state } = board;
  const selected = selection.follow();
  followGenerations(state.workspaces);
  header(state);
  rail.update(state, selected);
  stage(state, selected);
  inspector(state, selected);
  followSignIn(state);
  if (!state.loaded || performance.getEntriesByName("usable").length > 0) return;
  performance.mark("usable");
  setTimeout(loadTheRest, SOON_MS);
}

/** @type {SomeGenerate} */
function someGenerate(workspaces) {
  return workspaces.some(({ video, requesting }) => requesting || video.status === "generating");
}

/** @type {FollowSignIn} */
async function followSignIn({ connection }) {
  if (connection === lastConnection) return;
  lastConnection = connection;
  if (connection === "unauthorized" && !config.getToken) void signIn();
  if (connection === "open") {
    askedFor.clear();
    if (isIncomplete || document.querySelector(".broken")) (await import("./again.js")).loadAgain(app, isIncomplete);
  }
  if (connection === "open" && asked) (await import("./sign-in.js")).stopAsking();
}

/** A team's own sign-in knows what to do when it is asked for another token. */
async function signIn() {
  if (config.getToken) return board.retry();
  asked = true;
  (await import("./sign-in.js")).askForToken(() => board.retry());
}

async function loadActions() {
  actions = await import("./actions.js");
  return actions;
}

/** What only a person's doing needs: it must be there when the network is gone. */
function loadTheRest() {
  const parts = [
    loadActions(), import("./drag.js"), loadChoiceLists(), import("./progress.js"), import("./generation.js"), import("./proposals.js"),
    import("./rescue.js"), import("./messages.js"), import("./menu.js"), import("./conflict.js"), import("../motionboard/requests.js"),
  ];
  for (const part of parts) part.catch(() => void (isIncomplete = true));
}

/** A picture that doesn't load has an address that ran out. */
function refreshOnce() {
  return (/** @type {string} */ url) => {
    drawSoon();
    if (url.startsWith("blob:") || askedFor.has(url)) return;
    askedFor.add(url);
    board.refresh().catch(() => undefined);
  };
}

/** @param {() => void} run */
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

/** @type {CreateSelection} */
function createSelection(state, changed) {
  /** @type {string | undefined} */
  let key;
  /** Where in the board it was: when it goes, its neighbour takes its place. */
  let place = 0;
  /** The address asks for this one, which may not be loaded yet. */
  let wanted = idInHash();

  addEventListener("hashchange", () => {
    wanted = idInHash();
    changed();
  });

  const settle = (/** @type {readonly Workspace[]} */ workspaces) => {
    const asked = workspaces.find(({ _id }) => _id !== null && _id === wanted);
    if (asked) ({ key } = asked);
    else if (wanted !== null && !state().loaded) return;
    wanted = null;
    const found = workspaces.findIndex((one) => one.key === key);
    if (found >= 0) place = found;
    else key = workspaces[Math.min(place, workspaces.length - 1)]?.key;
  };

  return {
    follow() {
      const { workspaces, loaded } = state();
      settle(workspaces);
      const workspace = workspaces.find((one) => one.key === key);
      if (workspace?._id) writeHash(workspace._id);
      else if (!workspace && loaded) writeHash(null);
      return workspace;
    },
    select(next) {
      key = next ?? undefined;
      wanted = null;
      changed();
    },
  };
}

function idInHash() {
  return location.hash.slice(1) || null;
}

/** @type {WriteHash} */
function writeHash(id) {
  if (idInHash() !== id) history.replaceState(null, "", id === null ? location.pathname + location.search : `#${id}`);
}
