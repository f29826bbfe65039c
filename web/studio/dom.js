import { translateOne } from "./i18n.js";

/** @type {{ [name: string]: string }} */
const datasetNames = { t: "t", label: "tLabel", tip: "tTitle", hint: "tPlaceholder", testid: "testid" };

/**
 * Makes an element. Whatever text goes in is text, never HTML.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...(Node | string)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [event, listener] of Object.entries(props.on ?? {})) element.addEventListener(event, listener);
    else if (name in datasetNames) element.dataset[/** @type {string} */ (datasetNames[name])] = String(value);
    else setAttribute(element, name, /** @type {string | boolean} */ (value));
  }
  translateOne(element);
  element.append(...children);
  return element;
}

/** A button. Its click does `run`. @type {MakeButton} */
export function button(props, run, ...children) {
  return h("button", { type: "button", ...(run ? { on: { click: run } } : {}), ...props }, ...children);
}

/** Sets an attribute if it differs; false and null remove it, true leaves it empty. @type {SetAttribute} */
export function setAttribute(element, name, value) {
  const text = value === false || value === null ? null : value === true ? "" : String(value);
  if (element.getAttribute(name) === text) return;
  if (text === null) element.removeAttribute(name);
  else element.setAttribute(name, text);
}

/** Sets a text if it differs. @type {(node: Node, text: string) => void} */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows or hides an element without making it anew. @type {(element: HTMLElement, shown: boolean) => void} */
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** Brings the children of `parent` into the order of `wanted`, touching only those that are not in place. @type {Arrange} */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of wanted) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** Says whether any of what it is given is another than at the call before. @returns {(...now: unknown[]) => boolean} */
export function changes() {
  /** @type {unknown[]} */
  let last = [];
  return (...now) => {
    const differs = now.length !== last.length || now.some((value, index) => value !== last[index]);
    last = now;
    return differs;
  };
}

/** An element of the page's own HTML. @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is missing in index.html`);
  return element;
}

/** Whether text is being entered there. @param {EventTarget | null} target */
export function isTextField(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** Outlines on a grid of 24, drawn with round strokes of 1.75. */
export const outlines = {
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  first: "M5 4.5h14M12 20V9M6.5 14L12 8.5l5.5 5.5",
  last: "M5 19.5h14M12 4v11M6.5 10l5.5 5.5 5.5-5.5",
  chevron: "M7 10l5 5 5-5",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10 11v5M14 11v5",
  image: "M4 5.5h16v13H4zM4 15.5l4.5-4 3.5 3 3-2.5 5 4.5M15.5 9.5h.01",
  upload: "M12 15.5V5M7.5 9.5L12 5l4.5 4.5M5 15v4h14v-4",
  download: "M12 5v10.5M7.5 11l4.5 4.5 4.5-4.5M5 15v4h14v-4",
  swap: "M4.5 9h13M14 5.5L17.5 9 14 12.5M19.5 15.5h-13M10 12l-3.5 3.5L10 19",
  play: "M8 5.5v13l10.5-6.5z",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4M16 14.5h4",
  spark: "M12 4l1.800 5.200L19 11l-5.200 1.800L12 18l-1.800-5.200L5 11l5.200-1.800zM19 17v4M17 19h4",
  alert: "M12 8.5v4.5M12 16.5h.01M12 3.5l9.5 16.5h-19z",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.300-5.400M19.5 4v4h-4",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  auto: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 4v16M15 5.5v13M18 7.5v9",
  send: "M12 19V5M6 11l6-6 6 6",
  cloud: "M7.5 18.5a4 4 0 0 1-.5-8 5.5 5.5 0 0 1 10.5 1.200 3.5 3.5 0 0 1-.5 6.800z",
};


const SVG = "http://www.w3.org/2000/svg";

/** An icon, of the colour and about the size of the text around it. Screen readers skip it. @param {IconName} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", "data-bold": name === "more" };
  for (const [attribute, value] of Object.entries(attributes)) setAttribute(svg, attribute, value);
  svg.append(document.createElementNS(SVG, "path"));
  redraw(svg, name);
  return svg;
}

/** Draws another icon into one that is there. @type {(svg: SVGElement, name: IconName) => void} */
export function redraw(svg, name) {
  if (svg.firstElementChild) setAttribute(svg.firstElementChild, "d", outlines[name]);
}
