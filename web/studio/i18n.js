import { recall, remember } from "./remember.js";

const dictionaries = { zh: () => import("./zh.js"), en: () => import("./en.js") };

const translated = { tLabel: "aria-label", tTitle: "title", tPlaceholder: "placeholder" };

/** @type {Language} */
let active = recall("language") === "en" ? "en" : "zh";
/** @type {Dictionary} */
let words;
/** @type {Set<() => void>} */
const listeners = new Set();

/** Resolves when `t` can be used. The load begins as soon as this module runs, beside those of all others. */
export const ready = load(active);

/** @param {Language} language */
async function load(language) {
  words = (await dictionaries[language]()).default;
  active = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

export const language = () => active;

/** @type {SwitchLanguage} */
export async function switchLanguage(language) {
  await load(language);
  remember("language", language);
  translate(document.documentElement);
  for (const listener of listeners) listener();
}

/** @type {OnLanguage} */
export const onLanguage = (listener) => void listeners.add(listener);

/** @type {Translate} */
export function t(word, values) {
  return values ? words[word].replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all)) : words[word];
}

/** @type {TranslateIfKnown} */
export function maybe(word) {
  return Object.hasOwn(words, word) ? words[/** @type {Word} */ (word)] : undefined;
}

/** @type {TranslateElement} */
export function translate(root) {
  for (const element of root.querySelectorAll("*")) translateOne(/** @type {HTMLElement} */ (element));
}

/** @type {TranslateElement} */
export function translateOne(element) {
  const { dataset } = element;
  if (dataset.t) element.textContent = t(/** @type {Word} */ (dataset.t));
  for (const [name, attribute] of Object.entries(translated)) {
    const word = dataset[name];
    if (word) element.setAttribute(attribute, t(/** @type {Word} */ (word)));
  }
}
