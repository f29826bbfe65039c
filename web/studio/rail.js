import { arrange, button, changes, h, icon, setAttribute, setText, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { createPicture } from "./pictures.js";
import { errorText, titleOf } from "./texts.js";

/** @type {MountRail} */
export function mountRail(root, app, onBroken) {
  const count = h("span", { class: "count" });
  const add = button({ class: "button small", testid: "add" }, app.create, icon("plus"), h("span", { t: "board.add" }));
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
    if (more?.contains(/** @type {Node} */ (target))) app.act(({ openMenu }) => openMenu(app, key, more));
    else app.select(key);
  });
  list.addEventListener("keydown", (event) => {
    const key = keyAt(event.target);
    if (!key) return;
    const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (event.altKey && by) app.act(({ moveBy }) => moveBy(app, key, by));
    else if (event.key === "Delete" || event.key === "Backspace") {
      // A key that is held down would empty the board.
      if (!event.repeat) app.act(({ remove }) => remove(app, key));
    } else return;
    event.preventDefault();
  });
  enableDragging(scroller, list, (key, before) => app.act(({ move }) => move(app, key, before)));

  /** @type {DrawCards} */
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

  /** @type {DropCard} */
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

/** @type {CreateNotice} */
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

/** @type {CardAt} */
const cardAt = (target) => /** @type {Element | null} */ (target)?.closest("li");
/** @type {KeyAt} */
const keyAt = (target) => cardAt(target)?.dataset.key;

/** @type {FocusCard} */
function focusCard(card) {
  /** @type {HTMLElement | null | undefined} */ (card?.querySelector(".card-main"))?.focus();
}

/** @type {EnableRoving} */
function enableRoving(list, changed) {
  /** @type {string | undefined} */
  let at;
  const go = (/** @type {string | undefined} */ key) => {
    if (key === at) return;
    at = key;
    changed();
  };
  list.addEventListener("focusin", ({ target }) => go(keyAt(target)));
  list.addEventListener("focusout", ({ relatedTarget }) => {
    if (!list.contains(/** @type {Node | null} */ (relatedTarget))) go(undefined);
  });
  list.addEventListener("keydown", (event) => {
    const card = cardAt(event.target);
    if (!card || event.altKey || event.ctrlKey || event.metaKey) return;
    const { nextElementSibling: next, previousElementSibling: previous } = card;
    const to = { ArrowDown: next, ArrowRight: next, ArrowUp: previous, ArrowLeft: previous, Home: list.firstElementChild, End: list.lastElementChild }[event.key];
    if (!to) return;
    event.preventDefault();
    focusCard(to);
  });
  return (workspaces, selected) => (workspaces.some(({ key }) => key === at) ? at : (selected ?? workspaces[0]?.key));
}

/** @type {CreateCard} */
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

/** @type {EnableDragging} */
function enableDragging(scroller, list, move) {
  /** The press that may become a drag. @type {PointerEvent | null} */
  let press = null;
  list.addEventListener("pointerdown", async (down) => {
    const card = cardAt(/** @type {Element} */ (down.target).closest(".card-main"));
    if (!card || down.button !== 0 || !down.isPrimary) return;
    press = down;
    const { awaitDrag } = await import("./drag.js");
    if (press === down) awaitDrag(down, { scroller, list, card, move });
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (press = null));
  // Else a finger that drags would scroll the list, which ends the drag; later than at the touch, browsers don't ask.
  list.addEventListener("touchmove", (event) => isDragging() && event.preventDefault(), { passive: false });
}

const isDragging = () => document.documentElement.classList.contains("dragging");
