import { recall, remember } from "./remember.js";

const dictionaries = { zh: () => import("./zh.js"), en: () => import("./en.js") };

/** Which attribute of an element is translated by which of its `data-` attributes. */
const translated = { tLabel: "aria-label", tTitle: "title", tPlaceholder: "placeholder" };

/** @type {Language} */
let active = recall("language") === "en" ? "en" : "zh";
/** @type {Dictionary} */
let words;
/** @type {Set<() => void>} */
const listeners = new Set();

/** Resolves when {@link t} can be used. The load begins as soon as this module runs, beside those of all others. */
export const ready = load(active);

/** @param {Language} language */
async function load(language) {
  words = (await dictionaries[language]()).default;
  active = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

/** The language that is shown. */
export const language = () => active;

/** Shows the page in another language. @param {Language} language */
export async function switchLanguage(language) {
  await load(language);
  remember("language", language);
  translate(document.documentElement);
  for (const listener of listeners) listener();
}

/** Calls `listener` after the language has changed, for texts that {@link translate} doesn't reach. @param {() => void} listener */
export const onLanguage = (listener) => listeners.add(listener);

/** A text, with `{name}` replaced by `values.name`. @type {Translate} */
export function t(word, values) {
  return values ? words[word].replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all)) : words[word];
}

/** A text whose name is made of parts, if there is one. @param {string} word */
export function maybe(word) {
  return Object.hasOwn(words, word) ? words[/** @type {Word} */ (word)] : undefined;
}

/** Sets all fixed texts below `root`. @param {HTMLElement} root */
export function translate(root) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("*"))) translateOne(element);
}

/** Sets the fixed texts of one element. @param {HTMLElement} element */
export function translateOne(element) {
  const { dataset } = element;
  if (dataset.t) element.textContent = t(/** @type {Word} */ (dataset.t));
  for (const [name, attribute] of Object.entries(translated)) {
    const word = dataset[name];
    if (word) element.setAttribute(attribute, t(/** @type {Word} */ (word)));
  }
}
