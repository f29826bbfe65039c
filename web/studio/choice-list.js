import { h, isComposing, setAttribute, show } from "./dom.js";
import { vocabulary } from "./inspector.js";
import { choiceLabel } from "./texts.js";
import "./late-style.js";

/** @type {CreateChoiceList} */
export function createChoiceList(name, input, choose) {
  const options = vocabulary[name].map((value, index) => ({ value, element: h("li", { role: "option", id: `choice-${name}-${index}`, class: "option" }) }));
  const element = h("ul", { class: "options", role: "listbox", id: `choices-${name}`, label: `field.${name}`, hidden: true }, ...options.map((one) => one.element));
  const shown = () => options.filter((one) => !one.element.hidden);
  let at = -1;

  const point = (/** @type {number} */ next) => {
    at = next;
    const active = shown()[at]?.element;
    for (const one of options) one.element.classList.toggle("active", one.element === active);
    setAttribute(input, "aria-activedescendant", active?.id ?? null);
    active?.scrollIntoView({ block: "nearest" });
  };
  const reveal = (/** @type {boolean} */ open) => {
    if (element.hidden !== open) return;
    show(element, open);
    setAttribute(input, "aria-expanded", String(open));
    if (open) element.scrollIntoView({ block: "nearest" });
  };

  function open(filter = "") {
    const plain = filter.trim().toLowerCase();
    for (const { value, element: option } of options) {
      option.textContent = choiceLabel(value);
      option.hidden = !value.includes(plain) && !choiceLabel(value).toLowerCase().includes(plain);
    }
    point(-1);
    reveal(shown().length > 0);
  }

  function close() {
    point(-1);
    reveal(false);
  }

  element.addEventListener("mousedown", (event) => event.preventDefault());
  element.addEventListener("click", ({ target }) => {
    const option = options.find((one) => one.element === target);
    if (option) choose(option.value);
  });
  input.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (isComposing(event) || (element.hidden && !by)) return;
    const some = shown();
    const chosen = some[at];
    if (by && element.hidden) open();
    else if (by) point(at < 0 ? (by > 0 ? 0 : some.length - 1) : (at + by + some.length) % some.length);
    else if (event.key === "Enter" && chosen) choose(chosen.value);
    else if (event.key === "Enter" || event.key === "Escape") close();
    else return;
    event.preventDefault();
  });

  setAttribute(input, "aria-controls", element.id);
  input.after(element);
  return {
    open,
    close,
    toggle: () => (element.hidden ? open() : close()),
    mark(value) {
      for (const one of options) setAttribute(one.element, "aria-selected", one.value === value ? "true" : "false");
    },
  };
}
