import { translateOne } from "./i18n.js";

/** @type {{ [name: string]: string }} */
const datasetNames = { t: "t", label: "tLabel", tip: "tTitle", hint: "tPlaceholder", testid: "testid" };

/** @type {MakeElement} */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    const known = datasetNames[name];
    if (known) element.dataset[known] = String(value);
    else setAttribute(element, name, value);
  }
  translateOne(element);
  element.append(...children);
  return element;
}

/** @type {MakeButton} */
export function button(props, run, ...children) {
  const element = h("button", { type: "button", ...props }, ...children);
  if (run) element.addEventListener("click", run);
  return element;
}

/** @type {SetAttribute} */
export function setAttribute(element, name, value) {
  const text = value === false || value === null ? null : value === true ? "" : String(value);
  if (element.getAttribute(name) === text) return;
  if (text === null) element.removeAttribute(name);
  else element.setAttribute(name, text);
}

/** @type {SetText} */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @type {Show} */
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** @type {Arrange} */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of wanted) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** @type {Changes} */
export function changes() {
  /** @type {unknown[]} */
  let last = [];
  return (...now) => {
    const differs = now.length !== last.length || now.some((value, index) => value !== last[index]);
    last = now;
    return differs;
  };
}

/** @type {Later} */
export function later(isNeeded, load) {
  /** @type {Parameters<typeof isNeeded>} */
  let last;
  /** @type {Awaited<ReturnType<typeof load>> | undefined} */
  let show;
  let loading = false;
  return (...now) => {
    last = now;
    if (show) return show(...now);
    if (loading || !isNeeded(...now)) return;
    loading = true;
    load().then((loaded) => (show = loaded)(...last), () => (loading = false));
  };
}

/** @type {ById} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is missing in index.html`);
  return element;
}

/** Of the key that ends a composition Safari says otherwise. @type {IsComposing} */
export const isComposing = ({ isComposing, keyCode }) => isComposing || keyCode === 229;

/** @type {IsTextField} */
export const isTextField = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

/** Outlines on a grid of 24, drawn with round strokes of 1.75. */
export const outlines = {
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  chevron: "M7 10l5 5 5-5",
  image: "M4 5.5h16v13H4zM4 15.5l4.5-4 3.5 3 3-2.5 5 4.5M15.5 9.5h.01",
  upload: "M12 15.5V5M7.5 9.5L12 5l4.5 4.5M5 15v4h14v-4",
  download: "M12 5v10.5M7.5 11l4.5 4.5 4.5-4.5M5 15v4h14v-4",
  swap: "M4.5 9h13M14 5.5L17.5 9 14 12.5M19.5 15.5h-13M10 12l-3.5 3.5L10 19",
  play: "M8 5.5v13l10.5-6.5z",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4M16 14.5h4",
  spark: "M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8zM19 17v4M17 19h4",
  alert: "M12 8.5v4.5M12 16.5h.01M12 3.5l9.5 16.5h-19z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  auto: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 4v16M15 5.5v13M18 7.5v9",
  send: "M12 19V5M6 11l6-6 6 6",
  cloud: "M7.5 18.5a4 4 0 0 1-.5-8 5.5 5.5 0 0 1 10.5 1.2 3.5 3.5 0 0 1-.5 6.8z",
};

const SVG = "http://www.w3.org/2000/svg";

/** @type {MakeDrawing} */
export function drawing(outline) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) setAttribute(svg, name, value);
  setAttribute(path, "d", outline);
  svg.append(path);
  return svg;
}

/** @type {MakeIcon} */
export function icon(name) {
  const svg = drawing(outlines[name]);
  setAttribute(svg, "data-bold", name === "more");
  return svg;
}

/** @type {Redraw} */
export function redraw(svg, name) {
  if (svg.firstElementChild) setAttribute(svg.firstElementChild, "d", outlines[name]);
}
