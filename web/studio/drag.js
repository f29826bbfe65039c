import { h } from "./dom.js";
import "./late-style.js";

/** How far a mouse moves before it drags, and how long a finger stays before it does: less is a click, or scrolling. */
const SLACK_PX = 6;
const PRESS_MS = 320;
/** Within this distance of an edge the list scrolls. */
const EDGE_PX = 56;

/** @type {AwaitDrag} */
export function awaitDrag(down, { scroller, list, card, move }) {
  const byFinger = down.pointerType === "touch";
  const press = new AbortController();
  /** @type {Drag | undefined} */
  let drag;

  const begin = () => {
    if (card.isConnected) drag = new Drag(scroller, list, card, down);
    else end();
  };
  const end = () => {
    press.abort();
    clearTimeout(timer);
    return drag?.end();
  };
  const timer = byFinger ? setTimeout(begin, PRESS_MS) : 0;
  /** @type {Listen} */
  const listen = (target, type, listener) => target.addEventListener(type, /** @type {EventListener} */ (listener), { signal: press.signal });

  listen(window, "pointermove", ({ clientX, clientY }) => {
    if (drag) drag.moveTo(clientX, clientY);
    else if (Math.hypot(clientX - down.clientX, clientY - down.clientY) >= SLACK_PX) (byFinger ? end : begin)();
  });
  listen(window, "pointerup", () => {
    const dropped = end();
    if (dropped) move(dropped.key, dropped.before);
  });
  listen(window, "pointercancel", end);
  listen(window, "keydown", ({ key }) => key === "Escape" && end());
  listen(list, "contextmenu", (event) => drag && event.preventDefault());
}

/** A card that is being dragged. */
class Drag {
  #scroller;
  #list;
  #card;
  #sideways;
  #grip;
  #pointer;
  #ghost;
  #mark = h("div", { class: "drop-mark", "aria-hidden": "true" });
  #before = /** @type {Element | null} */ (null);
  #frame = 0;

  /**
   * @param {HTMLElement} scroller What scrolls, with the list in it.
   * @param {HTMLElement} list
   * @param {HTMLElement} card
   * @param {PointerEvent} down Where the card was gripped.
   */
  constructor(scroller, list, card, { clientX: x, clientY: y, pointerId }) {
    const box = card.getBoundingClientRect();
    this.#scroller = scroller;
    this.#list = list;
    this.#card = card;
    this.#sideways = getComputedStyle(list).flexDirection === "row";
    this.#grip = { x: x - box.left, y: y - box.top };
    this.#pointer = { x, y };
    this.#ghost = ghostOf(card, box);
    this.#mark.classList.toggle("sideways", this.#sideways);
    scroller.append(this.#mark);
    card.classList.add("dragged");
    document.documentElement.classList.add("dragging");
    scroller.setPointerCapture(pointerId);
    this.moveTo(x, y);
    this.#scrollAtEdges();
  }

  /** @type {(x: number, y: number) => void} */
  moveTo(x, y) {
    this.#pointer = { x, y };
    this.#ghost.style.translate = `${x - this.#grip.x}px ${y - this.#grip.y}px`;
    this.#before = [...this.#list.children].find((one) => this.#isBefore(x, y, one.getBoundingClientRect())) ?? null;
    this.#placeMark();
  }

  /** Whether the pointer has not reached the middle of a card. @type {(x: number, y: number, box: DOMRect) => boolean} */
  #isBefore(x, y, box) {
    return this.#sideways ? x < box.left + box.width / 2 : y < box.top + box.height / 2;
  }

  #placeMark() {
    const next = this.#before ?? this.#list.lastElementChild;
    if (!next) return;
    const box = next.getBoundingClientRect();
    const frame = this.#scroller.getBoundingClientRect();
    const atEnd = this.#before === null;
    if (this.#sideways) this.#mark.style.left = `${(atEnd ? box.right : box.left) - frame.left + this.#scroller.scrollLeft}px`;
    else this.#mark.style.top = `${(atEnd ? box.bottom : box.top) - frame.top + this.#scroller.scrollTop}px`;
  }

  #scrollAtEdges() {
    const { left, right, top, bottom } = this.#scroller.getBoundingClientRect();
    const { x, y } = this.#pointer;
    const by = this.#sideways ? pull(x, left, right) : pull(y, top, bottom);
    if (by) {
      this.#scroller.scrollBy(this.#sideways ? by : 0, this.#sideways ? 0 : by);
      this.moveTo(x, y);
    }
    this.#frame = requestAnimationFrame(() => this.#scrollAtEdges());
  }

  /** Puts everything back. Says where the card was dropped, if it is another place. */
  end() {
    cancelAnimationFrame(this.#frame);
    this.#ghost.remove();
    this.#mark.remove();
    this.#card.classList.remove("dragged");
    document.documentElement.classList.remove("dragging");
    swallowClick(this.#card);
    const stays = this.#before === this.#card || this.#before === this.#card.nextElementSibling;
    const key = this.#card.dataset.key;
    const before = this.#before instanceof HTMLElement ? (this.#before.dataset.key ?? null) : null;
    return stays || !key ? null : { key, before };
  }
}

/** @type {GhostOf} */
function ghostOf(card, box) {
  const ghost = h("div", { class: "card-ghost", "aria-hidden": "true", inert: true }, ...[...card.children].map((child) => child.cloneNode(true)));
  ghost.style.width = `${box.width}px`;
  ghost.style.height = `${box.height}px`;
  document.body.append(ghost);
  return ghost;
}

/** @type {Pull} */
function pull(at, from, to) {
  if (at < from + EDGE_PX) return -Math.min(18, Math.ceil((from + EDGE_PX - at) / 4));
  if (at > to - EDGE_PX) return Math.min(18, Math.ceil((at - to + EDGE_PX) / 4));
  return 0;
}

/** @type {SwallowClick} */
function swallowClick(card) {
  const stop = (/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  card.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => card.removeEventListener("click", stop, { capture: true }), 0);
}
