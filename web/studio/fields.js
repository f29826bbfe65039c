import { button, changes, h, icon, setAttribute, setText, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { announce, choiceLabel, choiceOf, errorText, showToast } from "./messages.js";

/** How long after the last keystroke others' changes of a field are shown again. */
const HOLD_MS = 2000;
/** How long 已保存 is shown after an edit was stored. */
const SAVED_MS = 2500;
/** The longest text that the backend takes, and from where on the counter is worth a look. */
export const MAX_CHARACTERS = 2000;
const NEARLY = 1800;

/**
 * What the backend's prompts know (`vocabulary.csv`), in its order. These words are what is stored, in every language of the page; their
 * English names are in the English dictionary. Any other text is taken, too.
 */
export const vocabulary = {
  camera_movement: [
    "推进", "拉远", "左移", "右移", "平移", "左摇", "右摇", "上摇", "下摇", "升起", "下降", "升降", "环绕", "旋转", "跟随", "手持", "固定",
  ],
  shot_type: ["大特写", "特写", "近景", "中景", "全景", "远景", "大远景"],
  lighting: ["自然光", "柔光", "硬光", "逆光", "侧光", "顶光", "黄金时刻", "蓝调时刻", "夜景霓虹", "烛光"],
};

/** The path under which the backend keeps a field. @param {FieldName} name */
export const pathOf = (name) => `form_data.${name}`;

/**
 * Follows a person who types in a field: hands on whole texts only (never one that an input method is still composing), and holds
 * others' changes of this very field back meanwhile.
 * @type {FollowTyping}
 */
export function followTyping(input, commit, hold) {
  let composing = false;
  let timer = 0;
  /** @type {(() => void) | null} */
  let letGo = null;

  const release = () => {
    clearTimeout(timer);
    letGo?.();
    letGo = null;
  };
  const touch = () => {
    letGo ??= hold();
    clearTimeout(timer);
    if (!composing) timer = setTimeout(release, HOLD_MS);
  };
  const change = () => {
    touch();
    if (!composing) commit(input.value);
  };
  input.addEventListener("compositionstart", () => {
    composing = true;
    touch();
  });
  input.addEventListener("compositionend", () => {
    composing = false;
    change();
  });
  input.addEventListener("input", change);
  input.addEventListener("blur", release);
  document.addEventListener("visibilitychange", () => document.hidden && release());

  return {
    release,
    leave() {
      input.blur();
      release();
    },
    write(text) {
      if (composing || input.value === text) return;
      const { selectionStart, selectionEnd } = input;
      input.value = text;
      if (document.activeElement === input) input.setSelectionRange(selectionStart, selectionEnd);
    },
  };
}

/**
 * The frame around a field: its name, how far its edits are, and what to do about a conflict.
 * @type {CreateField}
 */
export function createField(app, name, input, box) {
  const mark = createMark(app, name);
  const conflict = createConflict(app, name);
  const head = h("div", { class: "field-head" }, h("label", { for: `field-${name}`, t: `field.${name}` }), mark.element);
  setAttribute(input, "id", `field-${name}`);
  setAttribute(input, "aria-describedby", mark.reason.id);
  return {
    element: h("div", { class: "field", testid: `field-${name}` }, head, box, mark.reason, conflict.element),
    update({ key, fields }) {
      const state = fields[pathOf(name)];
      mark.update(key, state);
      conflict.update(state);
      setAttribute(input, "aria-invalid", state && state.state !== "saving" ? "true" : null);
    },
  };
}

/**
 * 保存中, 已保存 or 保存失败. Screen readers are told of the end of an edit, not of each of its steps.
 * @type {CreateMark}
 */
function createMark(app, name) {
  const words = h("span", { "aria-live": "polite" });
  const busy = h("span", { "aria-hidden": "true", t: "saving.saving" });
  const retry = button({ class: "link", t: "retry" }, () => app.board.retry(app.selected()?.key));
  const element = h("span", { class: "field-state", testid: `field-state-${name}` }, busy, words, retry);
  const reason = h("p", { class: "field-reason", id: `field-reason-${name}` });
  const differs = changes();
  let last = { key: "", now: "saved" };
  let timer = 0;
  return {
    element,
    reason,
    update(key, state) {
      if (!differs(key, state, language())) return;
      const now = state?.state ?? "saved";
      const justSaved = now === "saved" && last.now === "saving" && key === last.key;
      const why = now === "failed" && state?.error ? errorText(state.error) : "";
      last = { key, now };
      setAttribute(element, "data-state", now);
      setAttribute(element, "title", why || null);
      setText(reason, why);
      show(reason, why !== "");
      show(busy, now === "saving");
      show(retry, now === "failed");
      setText(words, justSaved || now === "failed" || now === "conflict" ? t(`saving.${now}`) : "");
      clearTimeout(timer);
      if (justSaved) timer = setTimeout(() => setText(words, ""), SAVED_MS);
    },
  };
}

/** Another device has changed the field, too: shows its text, and lets the person decide. @type {CreateConflict} */
function createConflict(app, name) {
  const theirs = h("blockquote", { lang: "" });
  /** @param {"mine" | "theirs"} keep */
  const settle = (keep) =>
    button({ class: "button small", t: `conflict.${keep}` }, () => {
      const workspace = app.selected();
      if (workspace) app.board.resolve(workspace.key, pathOf(name), keep);
    });
  const element = h(
    "div",
    { class: "conflict", role: "group", label: "conflict", testid: `conflict-${name}`, hidden: true },
    h("p", {}, icon("alert"), h("span", { t: "conflict.more" })),
    theirs,
    h("div", { class: "panel-actions" }, settle("mine"), settle("theirs")),
  );
  const differs = changes();
  return {
    element,
    update(state) {
      if (!differs(state, language())) return;
      const conflicting = state?.state === "conflict";
      if (conflicting && element.hidden) announce(t("announce.conflict", { field: t(`field.${name}`) }));
      show(element, conflicting);
      setText(theirs, choiceLabel(String(state?.theirs ?? "")) || t("conflict.blank"));
    },
  };
}

/** The description of what moves. @type {(app: App) => Part<[Workspace]>} */
export function createPrompt(app) {
  const input = h("textarea", { class: "control", rows: 5, maxlength: MAX_CHARACTERS, hint: "prompt.hint", testid: "prompt" });
  const counter = h("span", { class: "counter", "aria-hidden": "true" });
  const field = createField(app, "motion_prompt", input, h("div", { class: "prompt-box" }, input, counter));
  const path = pathOf("motion_prompt");
  const differs = changes();
  let key = "";

  const count = () => {
    const { length } = input.value;
    setText(counter, `${length} / ${MAX_CHARACTERS}`);
    setAttribute(counter, "data-full", length >= MAX_CHARACTERS ? "full" : length >= NEARLY ? "nearly" : null);
  };
  const commit = (/** @type {string} */ text) => {
    app.board.edit(key, { [path]: text });
    count();
  };
  const typing = followTyping(input, commit, () => app.board.hold(key, path));
  // The browser cuts what is pasted without a word.
  input.addEventListener("paste", (event) => {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    const kept = input.value.length - (input.selectionEnd - input.selectionStart);
    if (kept + pasted.length > MAX_CHARACTERS) showToast({ text: t("prompt.cut", { limit: MAX_CHARACTERS }) });
  });
  return {
    element: field.element,
    update(workspace) {
      if (!differs(workspace, language())) return;
      if (workspace.key !== key) typing.leave();
      key = workspace.key;
      typing.write(workspace.form_data.motion_prompt);
      count();
      field.update(workspace);
    },
  };
}

/** @type {typeof import("./choice-list.js") | undefined} */
let lists;

/** Loads what {@link createChoice} needs once a field is entered. Later it is there at once: the next key may want the list already. */
export async function loadChoiceLists() {
  lists = await import("./choice-list.js");
}

/** A field with a list of usual choices; any other text can be typed. @type {CreateChoice} */
export function createChoice(app, name) {
  const choices = vocabulary[name];
  const combobox = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false" };
  const input = h("input", { class: "control", ...combobox, autocomplete: "off", spellcheck: "false", maxlength: MAX_CHARACTERS, hint: "choice.hint" });
  const empty = () => {
    choose("");
    input.focus();
  };
  const clear = button({ class: "icon-button clear", label: "choice.clear", tabindex: -1 }, empty, icon("close"));
  const toggle = () => {
    input.focus();
    withList((one) => one.toggle());
  };
  const opener = button({ class: "icon-button", label: "choice.open", tabindex: -1 }, toggle, icon("chevron"));
  const field = createField(app, name, input, h("div", { class: "combo" }, input, clear, opener));
  const path = pathOf(name);
  const differs = changes();
  let key = "";
  let value = "";
  /** Made when the field is entered first. @type {ChoiceList | undefined} */
  let list;

  /** @param {(list: ChoiceList) => void} run */
  function withList(run) {
    if (!lists) return void loadChoiceLists().then(() => withList(run));
    list ??= lists.createChoiceList(name, input, choose);
    list.mark(value);
    if (document.activeElement === input) run(list);
  }

  const edit = (/** @type {string} */ text) => app.board.edit(key, { [path]: text });
  const commit = (/** @type {string} */ text) => {
    edit(choiceOf(text, choices));
    withList(({ open }) => open(text));
  };
  const typing = followTyping(input, commit, () => app.board.hold(key, path));

  /** @param {string} text */
  function choose(text) {
    list?.close();
    typing.release();
    typing.write(choiceLabel(text));
    edit(text);
  }

  // Else the list would close by the loss of the focus before the click opens it again.
  opener.addEventListener("mousedown", (event) => event.preventDefault());
  input.addEventListener("focus", () => withList(() => {}));
  input.addEventListener("click", () => withList(({ open }) => open()));
  input.addEventListener("blur", () => {
    list?.close();
    typing.write(choiceLabel(choiceOf(input.value, choices)));
  });

  return {
    element: field.element,
    update(workspace) {
      if (!differs(workspace, language())) return;
      if (workspace.key !== key) typing.leave();
      key = workspace.key;
      value = workspace.form_data[name];
      list?.mark(value);
      show(clear, value !== "");
      // What is typed already means the stored choice: don't replace "push in" by "Push in" while the caret is in it.
      if (choiceOf(input.value, choices) !== value || document.activeElement !== input) typing.write(choiceLabel(value));
      field.update(workspace);
    },
  };
}
