import { createAssistant } from "./assistant.js";
import { button, changes, h, icon, later, setAttribute, setText, show } from "./dom.js";
import { language, t, translate } from "./i18n.js";
import { choiceLabel, choiceOf, errorText, showToast } from "./texts.js";

/** After the last keystroke. */
const HOLD_MS = 2000;
const SAVED_MS = 2500;
/** The longest text that the backend takes in a field, and from where on the counter is worth a look. */
const MAX_CHARACTERS = 2000;
const NEARLY = 1800;

/** What the backend's prompts know, in the order of `vocabulary.csv`. Stored like this in every language; en.js has English names. */
export const vocabulary = {
  camera_movement: [
    "推进", "拉远", "左移", "右移", "平移", "左摇", "右摇", "上摇", "下摇", "升起", "下降", "升降", "环绕", "旋转", "跟随", "手持", "固定",
  ],
  shot_type: ["大特写", "特写", "近景", "中景", "全景", "远景", "大远景"],
  lighting: ["自然光", "柔光", "硬光", "逆光", "侧光", "顶光", "黄金时刻", "蓝调时刻", "夜景霓虹", "烛光"],
};

/** @type {PathOf} */
export const pathOf = (name) => `form_data.${name}`;

/** @type {MountInspector} */
export function mountInspector(root, app) {
  const names = /** @type {ChoiceField[]} */ (Object.keys(vocabulary));
  const fields = [...names.map((name) => createChoice(app, name)), createPrompt(app)];
  const heading = h("h3", { id: "form-title" }, icon("film"), h("span", { t: "form.title" }));
  const form = h("section", { class: "section form", "aria-labelledby": "form-title" }, heading, ...fields.map((field) => field.element));
  const assistant = createAssistant(app);
  const blank = h("p", { class: "inspector-blank", t: "inspector.blank" });
  const skeleton = h("div", { class: "section", "aria-hidden": "true" }, ...[...fields].map(() => h("div", { class: "field-skeleton" }, h("i"), h("i"))));
  const body = h("div", { class: "inspector-body" }, blank, skeleton);
  const order = createOrder(app);
  root.append(body, order.element);
  let lastKey = "";

  return ({ loaded, error }, workspace) => {
    order.update(workspace, loaded);
    setAttribute(root, "data-blank", workspace ? null : "true");
    if (workspace && !form.isConnected) {
      body.prepend(form, assistant.element);
      // The language may have changed while they were away.
      translate(body);
    }
    for (const element of [form, assistant.element]) show(element, workspace !== undefined);
    show(blank, !workspace && loaded);
    show(skeleton, !workspace && !loaded && !error);
    if (!workspace) return;
    if (workspace.key !== lastKey) body.scrollTop = 0;
    lastKey = workspace.key;
    for (const part of [...fields, assistant]) part.update(workspace);
  };
}

/** @type {CreateOrder} */
function createOrder(app) {
  const words = h("span");
  const order = button({ class: "button primary large", testid: "generate", "aria-describedby": "generate-note" }, () => app.act(({ generate }) => generate(app)), icon("play"), words);
  const note = h("p", { class: "order-note", id: "generate-note" });
  const differs = changes();
  return {
    element: h("div", { class: "order" }, order, note),
    update(workspace, loaded) {
      const hindrance = obstacle(app, workspace);
      const busy = hindrance === "generate.running" || hindrance === "generate.requesting";
      const refusal = workspace && !busy ? app.refusals.get(workspace.key) : undefined;
      // Of a picture, or a video, that isn't there any more it says nothing.
      const error = refusal && refusal.video === workspace?.video && refusal.image_path === workspace.image_path ? refusal.error : null;
      if (!differs(hindrance, error, workspace?.video.status, loaded, language())) return;
      // While a video is made the button keeps the focus that it got by the click; before that there is nothing to press.
      order.disabled = hindrance !== null && !busy;
      setAttribute(order, "aria-disabled", busy ? "true" : null);
      setText(words, t(busy ? "generate.busy" : orderWord(workspace)));
      setAttribute(note, "data-tone", error ? "bad" : null);
      setText(note, error ? errorText(error) : workspace || loaded ? t(hindrance ?? "generate.ready") : "");
    },
  };
}

/** @type {Obstacle} */
export function obstacle(app, workspace) {
  if (!workspace) return "generate.no-workspace";
  if (app.uploads.get(workspace.key)?.phase === "sending") return "generate.uploading";
  if (!workspace.image_path && !workspace.image_url) return "generate.no-picture";
  if (workspace.requesting) return "generate.requesting";
  return workspace.video.status === "generating" ? "generate.running" : null;
}

/** @type {OrderWord} */
function orderWord(workspace) {
  if (workspace?.video.status === "completed") return "generate.again";
  return workspace?.video.status === "failed" ? "generate.retry" : "generate";
}

/** @type {FollowTyping} */
function followTyping(input, commit, hold) {
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

/** @type {CreateField} */
function createField(app, name, input, box, { typed, shown }) {
  const mark = createMark(app, name);
  const head = h("div", { class: "field-head" }, h("label", { for: `field-${name}`, t: `field.${name}` }), mark.element);
  const element = h("div", { class: "field", testid: `field-${name}` }, head, box, mark.reason);
  const conflict = later((state) => state?.state === "conflict", async () => (await import("./conflict.js")).mountConflict(element, app, name));
  const path = pathOf(name);
  const typing = followTyping(input, typed, () => app.board.hold(key, path));
  const differs = changes();
  let key = "";
  setAttribute(input, "id", `field-${name}`);
  setAttribute(input, "aria-describedby", mark.reason.id);
  return {
    element,
    typing,
    edit: (text) => app.board.edit(key, { [path]: text }),
    update(workspace) {
      if (!differs(workspace, language())) return;
      if (workspace.key !== key) typing.leave();
      ({ key } = workspace);
      shown(workspace.form_data[name]);
      const state = workspace.fields[path];
      mark.update(key, state);
      conflict(state);
      setAttribute(input, "aria-invalid", state && state.state !== "saving" ? "true" : null);
    },
  };
}

/** @type {CreateMark} */
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

/** @type {CreatePrompt} */
export function createPrompt(app) {
  const input = h("textarea", { class: "control", rows: 5, maxlength: MAX_CHARACTERS, hint: "prompt.hint", testid: "prompt" });
  const counter = h("span", { class: "counter", "aria-hidden": "true" });
  const count = () => {
    const { length } = input.value;
    setText(counter, `${length} / ${MAX_CHARACTERS}`);
    setAttribute(counter, "data-full", length >= MAX_CHARACTERS ? "full" : length >= NEARLY ? "nearly" : null);
  };
  /** @type {Field} */
  const field = createField(app, "motion_prompt", input, h("div", { class: "prompt-box" }, input, counter), {
    typed(text) {
      field.edit(text);
      count();
    },
    shown(text) {
      field.typing.write(text);
      count();
    },
  });
  // The browser cuts what is pasted without a word.
  input.addEventListener("paste", (event) => {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    const kept = input.value.length - (input.selectionEnd - input.selectionStart);
    if (kept + pasted.length > MAX_CHARACTERS) showToast({ text: t("prompt.cut", { limit: MAX_CHARACTERS }) });
  });
  return field;
}

/** @type {typeof import("./choice-list.js") | undefined} */
let lists;

/** Once loaded it is there at once: the next key may want the list already. */
export async function loadChoiceLists() {
  lists = await import("./choice-list.js");
}

/** @type {CreateChoice} */
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
  let value = "";
  /** Made when the field is entered first. @type {ChoiceList | undefined} */
  let list;

  /** @type {WithList} */
  const withList = (run) => {
    if (!lists) return void loadChoiceLists().then(() => withList(run));
    list ??= lists.createChoiceList(name, input, choose);
    list.mark(value);
    if (document.activeElement === input) run(list);
  };
  /** @type {Choose} */
  const choose = (text) => {
    list?.close();
    field.typing.release();
    field.typing.write(choiceLabel(text));
    field.edit(text);
  };
  /** @type {Field} */
  const field = createField(app, name, input, h("div", { class: "combo" }, input, clear, opener), {
    typed(text) {
      field.edit(choiceOf(text, choices));
      withList(({ open }) => open(text));
    },
    shown(stored) {
      value = stored;
      list?.mark(value);
      show(clear, value !== "");
      // What is typed already means the stored choice: don't replace "push in" by "Push in" while the caret is in it.
      if (choiceOf(input.value, choices) !== value || document.activeElement !== input) field.typing.write(choiceLabel(value));
    },
  });

  // Else the list would close by the loss of the focus before the click opens it again.
  opener.addEventListener("mousedown", (event) => event.preventDefault());
  input.addEventListener("focus", () => withList(() => {}));
  input.addEventListener("click", () => withList(({ open }) => open()));
  input.addEventListener("blur", () => {
    list?.close();
    field.typing.write(choiceLabel(choiceOf(input.value, choices)));
  });
  return field;
}
