import { button, h, icon } from "./dom.js";
import { t } from "./i18n.js";

/** Opens a menu at a button. It closes by Escape, Tab, a click elsewhere, or a choice. @type {(opener: HTMLElement, items: readonly MenuItem[]) => void} */
export function openMenu(opener, items) {
  const close = () => menu.hidePopover();
  const buttons = items.map((item) => menuButton(item, close));
  const menu = h("div", { class: "menu", role: "menu", popover: "auto", "aria-label": t("menu") }, ...buttons);
  menu.addEventListener("keydown", (event) => {
    const able = buttons.filter((one) => !one.disabled);
    const at = able.findIndex((one) => one === document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") close();
    if (next === undefined) return;
    event.preventDefault();
    able.at(next % able.length)?.focus();
  });
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    opener.ariaExpanded = "false";
    if (menu.contains(document.activeElement) || document.activeElement === document.body) opener.focus();
    menu.remove();
  });
  (opener.closest("nav, main") ?? document.body).append(menu);
  menu.showPopover();
  opener.ariaExpanded = "true";
  place(menu, opener.getBoundingClientRect());
  buttons.find((one) => !one.disabled)?.focus();
}

/** @type {(item: MenuItem, close: () => void) => HTMLButtonElement} */
function menuButton({ word, icon: name, run, disabled = false, danger, keys }, close) {
  const choose = () => {
    close();
    run();
  };
  const item = button({ class: danger ? "menu-item danger" : "menu-item", role: "menuitem", tabindex: "-1", disabled }, choose, icon(name), h("span", {}, t(word)));
  if (keys) item.append(h("kbd", {}, keys));
  return item;
}

/** Below the button, or above it where there is no room. @type {(menu: HTMLElement, at: DOMRect) => void} */
function place({ style, offsetWidth, offsetHeight }, at) {
  const below = at.bottom + 4 + offsetHeight < innerHeight;
  style.left = `${Math.max(8, Math.min(at.right - offsetWidth, innerWidth - offsetWidth - 8))}px`;
  style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - offsetHeight - 4)}px`;
}
