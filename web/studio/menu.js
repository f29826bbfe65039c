import { button, drawing, h } from "./dom.js";
import { t } from "./i18n.js";
import "./late-style.js";

/** What only menus show; drawn as those of dom.js. */
export const outlines = {
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  first: "M5 4.5h14M12 20V9M6.5 14L12 8.5l5.5 5.5",
  last: "M5 19.5h14M12 4v11M6.5 10l5.5 5.5 5.5-5.5",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10 11v5M14 11v5",
};

/** @type {OpenMenuAt} */
export function openMenuAt(opener, items) {
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

/** @type {MenuButton} */
function menuButton({ word, icon, run, disabled = false, danger, keys }, close) {
  const choose = () => {
    close();
    run();
  };
  const item = button({ class: danger ? "menu-item danger" : "menu-item", role: "menuitem", tabindex: "-1", disabled }, choose, drawing(icon), h("span", {}, t(word)));
  if (keys) item.append(h("kbd", {}, keys));
  return item;
}

/** @type {PlaceMenu} */
function place({ style, offsetWidth, offsetHeight }, at) {
  const below = at.bottom + 4 + offsetHeight < innerHeight;
  style.left = `${Math.max(8, Math.min(at.right - offsetWidth, innerWidth - offsetWidth - 8))}px`;
  style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - offsetHeight - 4)}px`;
}
