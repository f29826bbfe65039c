import { arrange, button, changes, h, icon, setAttribute, setText, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { errorText, titleOf } from "./messages.js";
import { createPicture } from "./pictures.js";

/**
 * The board: all workspaces, as cards.
 * @type {MountRail}
 */
export function mountRail(root, app, actions, onBroken) {
  const count = h("span", { class: "count" });
  const add = button({ class: "button small", testid: "add" }, actions.create, icon("plus"), h("span", { t: "board.add" }));
  const list = h("ol", { class: "cards", label: "board.list" });
  const skeleton = h("div", { class: "cards", "aria-hidden": "true" }, ...Array.from({ length: 6 }, skeletonCard));
  const notice = createNotice(app);
  const scroller = h("div", { class: "board-scroll" }, list, skeleton, notice.element);
  root.append(h("div", { class: "board-head" }, h("h2", { t: "board.title" }), count, add), scroller, h("p", { class: "unseen", id: "board-keys", t: "board.keys" }));

  /** @type {Map<string, Card>} */
  const cards = new Map();
  const reachable = enableRoving(list, app.changed);
  const differs = changes();
  /** @type {string | undefined} */
  let revealed;

  list.addEventListener("click", ({ target }) => {
    const key = keyAt(target);
    if (!key) return;
    const more = cards.get(key)?.more;
    if (more?.contains(/** @type {Node} */ (target))) actions.openMenu(key, more);
    else app.select(key);
  });
  list.addEventListener("keydown", (event) => {
    const key = keyAt(event.target);
    if (!key) return;
    const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (event.altKey && by) actions.moveBy(key, by);
    else if (event.key === "Delete" || event.key === "Backspace") actions.remove(key);
    else return;
    event.preventDefault();
  });
  enableDragging(scroller, list, actions.move);

  /** @type {(workspaces: readonly Workspace[], selected: string | undefined) => void} */
  function drawCards(workspaces, selected) {
    const stop = reachable(workspaces, selected);
    const focused = document.activeElement;
    for (const [key, card] of cards) if (!app.board.workspace(key)) dropCard(key, card.element);
    const elements = workspaces.map((workspace, index) => {
      const { key } = workspace;
      const card = cards.get(key) ?? createCard(key, onBroken);
      cards.set(key, card);
      card.update(workspace, { index, selected: key === selected, reachable: key === stop, upload: app.uploads.get(key) });
      return card.element;
    });
    arrange(list, elements);
    // A card that was moved has lost the focus.
    if (focused instanceof HTMLElement && focused !== document.activeElement && list.contains(focused)) focused.focus();
  }

  /** @type {(key: string, element: HTMLElement) => void} */
  function dropCard(key, element) {
    if (element.contains(document.activeElement)) focusCard(element.nextElementSibling ?? element.previousElementSibling);
    cards.delete(key);
  }

  return {
    update(state, selected) {
      const { workspaces, loaded, error } = state;
      drawCards(workspaces, selected?.key);
      if (selected && selected.key !== revealed) cards.get(selected.key)?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
      revealed = selected?.key;
      if (!differs(workspaces.length, loaded, error, language())) return;
      setText(count, loaded || workspaces.length ? String(workspaces.length) : "");
      setAttribute(root, "aria-busy", loaded || error ? null : "true");
      show(list, workspaces.length > 0);
      show(skeleton, !loaded && !error);
      notice.update(state);
    },
    focus: (key) => cards.get(key)?.main.focus(),
  };
}

function skeletonCard() {
  return h("div", { class: "card skeleton" }, h("span", { class: "card-thumb" }), h("span", { class: "card-text" }, h("i"), h("i")));
}

/** What stands in the board's place: that it is empty, or that it can't be loaded. @type {(app: App) => Part<[BoardState]>} */
function createNotice(app) {
  const title = h("p", { class: "notice-title" });
  const text = h("p", { class: "notice-text" });
  const retry = button({ class: "button small", t: "retry.now" }, () => app.board.retry());
  const element = h("div", { class: "board-notice" }, title, text, retry);
  return {
    element,
    update({ workspaces, loaded, error, connection }) {
      const failed = !loaded && error !== null;
      const unauthorized = connection === "unauthorized";
      show(element, failed || (loaded && workspaces.length === 0));
      show(retry, failed && !unauthorized);
      setText(title, t(!failed ? "board.empty" : unauthorized ? "load.unauthorized" : "load.failed"));
      setText(text, !failed ? t("board.empty.more") : unauthorized ? errorText(error) : t("connection.unreachable"));
    },
  };
}

/** @param {EventTarget | null} target */
function keyAt(target) {
  return /** @type {Element} */ (target).closest("li")?.dataset.key;
}

/** @param {Element | null} card */
function focusCard(card) {
  /** @type {HTMLElement | null | undefined} */ (card?.querySelector(".card-main"))?.focus();
}

/**
 * One card of the board is reached by Tab, the others from it by the arrow keys: a board of 200 would be 400 stops else.
 * Returns what tells the key of that card: the focused one, or the selected.
 * @type {EnableRoving}
 */
function enableRoving(list, changed) {
  /** @type {string | undefined} */
  let at;
  /** @param {string | undefined} key */
  const go = (key) => {
    if (key === at) return;
    at = key;
    changed();
  };
  list.addEventListener("focusin", ({ target }) => go(keyAt(target)));
  list.addEventListener("focusout", ({ relatedTarget }) => {
    if (!list.contains(/** @type {Node | null} */ (relatedTarget))) go(undefined);
  });
  list.addEventListener("keydown", (event) => {
    const card = /** @type {Element} */ (event.target).closest("li");
    if (!card || event.altKey || event.ctrlKey || event.metaKey) return;
    const { nextElementSibling: next, previousElementSibling: previous } = card;
    const to = { ArrowDown: next, ArrowRight: next, ArrowUp: previous, ArrowLeft: previous, Home: list.firstElementChild, End: list.lastElementChild }[event.key];
    if (!to) return;
    event.preventDefault();
    focusCard(to);
  });
  return (workspaces, selected) => (workspaces.some(({ key }) => key === at) ? at : (selected ?? workspaces[0]?.key));
}

/** A workspace on the board. @type {CreateCard} */
export function createCard(key, onBroken) {
  const picture = createPicture({ lazy: true, onBroken });
  const number = h("span", { class: "card-number" });
  const bar = h("span", { class: "card-upload" });
  const title = h("span", { class: "card-title", lang: "" });
  const badge = h("span", { class: "badge" });
  const mark = h("span", { class: "card-saving" });
  const main = button(
    { class: "card-main", "aria-describedby": "board-keys" },
    null,
    h("span", { class: "card-thumb" }, icon("image"), picture.element, number, bar),
    h("span", { class: "card-text" }, title, h("span", { class: "card-meta" }, badge, mark)),
  );
  const more = button({ class: "icon-button card-more", "aria-haspopup": "menu", "aria-expanded": "false" }, null, icon("more"));
  const differs = changes();
  return {
    element: h("li", { class: "card", testid: "card", "data-key": key }, main, more),
    main,
    more,
    update(workspace, { index, selected, reachable, upload }) {
      if (!differs(workspace, index, selected, reachable, upload, language())) return;
      const { saving, image_url, form_data } = workspace;
      const status = statusOf(workspace, upload);
      setAttribute(main, "aria-current", selected ? "true" : null);
      for (const one of [main, more]) setAttribute(one, "tabindex", reachable ? 0 : -1);
      setAttribute(more, "aria-label", t("card.more", { number: index + 1 }));
      setText(number, String(index + 1).padStart(2, "0"));
      setText(title, titleOf(workspace));
      title.classList.toggle("blank", form_data.motion_prompt.trim() === "");
      setAttribute(badge, "data-status", status);
      setText(badge, t(`status.${status}`));
      setAttribute(mark, "data-state", saving);
      setText(mark, saving === "saved" ? "" : t(`saving.${saving}`));
      picture.show(upload?.preview ?? image_url);
      show(bar, upload?.phase === "sending");
      if (upload) bar.style.setProperty("--done", String(upload.fraction));
    },
  };
}

/** @type {StatusOf} */
function statusOf({ video, requesting, image_url }, upload) {
  if (upload?.phase === "failed") return "upload-failed";
  if (upload?.phase === "sending") return "uploading";
  if (requesting) return "generating";
  if (video.status === "pending") return image_url ? "ready" : "empty";
  return video.status;
}

/** How far a mouse moves before it drags, and how long a finger stays before it does: less is a click, or scrolling. */
const SLACK_PX = 6;
const PRESS_MS = 320;

/** Lets cards be dragged to another place, by mouse, pen or finger. @type {EnableDragging} */
export function enableDragging(scroller, list, move) {
  /** @type {import("./drag.js").Drag | null} */
  let drag = null;
  let stopWaiting = () => {};

  const end = () => {
    stopWaiting();
    const dropped = drag?.end();
    drag = null;
    return dropped;
  };
  list.addEventListener("pointerdown", (event) => {
    const card = /** @type {Element} */ (event.target).closest(".card-main")?.closest("li");
    if (!card || event.button !== 0 || !event.isPrimary) return;
    stopWaiting = awaitDrag(event, async (isWaiting) => {
      const { Drag } = await import("./drag.js");
      if (isWaiting() && card.isConnected) drag = new Drag(scroller, list, card, event);
    });
  });
  addEventListener("pointermove", (event) => drag?.moveTo(event.clientX, event.clientY));
  addEventListener("pointerup", () => {
    const dropped = end();
    if (dropped) move(dropped.key, dropped.before);
  });
  addEventListener("pointercancel", end);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") end();
  });
  // Else a finger that drags would scroll the list, which ends the drag.
  list.addEventListener("touchmove", (event) => drag && event.preventDefault(), { passive: false });
  list.addEventListener("contextmenu", (event) => drag && event.preventDefault());
}

/** Calls `begin` once this is clearly a drag. Returns what stops it. @type {AwaitDrag} */
function awaitDrag(down, begin) {
  const byFinger = down.pointerType === "touch";
  let waiting = true;
  const unlisten = () => {
    removeEventListener("pointermove", onMove);
    clearTimeout(timer);
  };
  const stop = () => {
    waiting = false;
    unlisten();
  };
  const go = () => {
    unlisten();
    begin(() => waiting);
  };
  /** @param {PointerEvent} event */
  const onMove = (event) => {
    if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < SLACK_PX) return;
    if (byFinger) stop();
    else go();
  };
  const timer = byFinger ? setTimeout(go, PRESS_MS) : 0;
  addEventListener("pointermove", onMove);
  return stop;
}
