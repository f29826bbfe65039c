import { button, changes, h, icon, redraw, setAttribute, setText, show } from "./dom.js";
import { language, switchLanguage, t, translateOne } from "./i18n.js";
import { recall, remember } from "./remember.js";

/** A connection that is back within this time was not worth a word. */
const PATIENCE_MS = 1200;

/** @type {MountHeader} */
export function mountHeader(root, app, signIn) {
  const saving = createSaving(app);
  const connection = createConnection(app, signIn);
  root.append(
    h("h1", { class: "brand" }, h("span", { class: "brand-mark" }, icon("play")), h("span", { class: "brand-name" }, "Motionboard")),
    connection.element,
    h("div", { class: "top-tools" }, saving.element, languageSwitch(), themeSwitch()),
  );
  return (state) => {
    saving.update(state);
    connection.update(state);
  };
}

/** @type {CreateSaving} */
function createSaving(app) {
  const mark = icon("check");
  const words = h("span", { class: "saving-words" });
  const retry = button({ class: "link", t: "retry" }, () => app.board.retry());
  const element = h("div", { class: "saving", testid: "saving" }, mark, words, retry);
  const differs = changes();
  return {
    element,
    update({ saving, loaded }) {
      if (!differs(saving, loaded, language())) return;
      setAttribute(element, "data-state", saving);
      show(element, loaded || saving !== "saved");
      setText(words, t(`saving.${saving}`));
      redraw(mark, saving === "saved" ? "check" : saving === "saving" ? "cloud" : "alert");
      show(retry, saving === "failed");
    },
  };
}

/** @type {CreateConnection} */
function createConnection(app, signIn) {
  const words = h("span", { class: "connection-words" });
  const countdown = h("span", { class: "connection-countdown", "aria-hidden": "true" });
  const retry = button({ class: "link", t: "retry.now" }, () => app.board.retry());
  const enter = button({ class: "link", t: "sign-in.open" }, signIn);
  const element = h("div", { class: "connection", testid: "connection" }, h("span", { class: "dot" }), h("span", { role: "status" }, words), countdown, retry, enter);
  const differs = changes();
  const calm = createPatience(app.changed);
  let ticking = 0;

  const count = (/** @type {number | null} */ retryAt) => {
    clearInterval(ticking);
    const tick = () => setText(countdown, retryAt === null ? "" : countdownText(retryAt));
    tick();
    if (retryAt !== null) ticking = setInterval(tick, 500);
  };
  return {
    element,
    update(state) {
      const shown = calm(state);
      if (!differs(shown, state.retryAt, language())) return;
      const trying = shown === "reconnecting" || shown === "unreachable";
      setAttribute(element, "data-state", shown);
      setText(words, t(`connection.${shown}`));
      setAttribute(element, "title", shown === "open" && t("connection.open.more"));
      count(trying ? state.retryAt : null);
      show(retry, trying || shown === "offline");
      show(enter, shown === "unauthorized");
    },
  };
}

/** @type {CreatePatience} */
function createPatience(changed) {
  let lostAt = 0;
  return ({ connection, loaded, error }) => {
    if (connection !== "reconnecting" && connection !== "connecting") {
      lostAt = 0;
      return connection;
    }
    if (!loaded) return error ? "unreachable" : "connecting";
    if (!lostAt) {
      lostAt = Date.now();
      setTimeout(changed, PATIENCE_MS + 20);
    }
    return Date.now() - lostAt < PATIENCE_MS ? "open" : "reconnecting";
  };
}

/** @type {CountdownText} */
function countdownText(retryAt) {
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  return seconds > 0 ? t("connection.in", { seconds }) : t("connection.now");
}

function languageSwitch() {
  const other = () => (language() === "zh" ? "en" : "zh");
  const toggle = button({ class: "tool", t: "language.other", tip: "language.switch", lang: other(), testid: "language" }, async () => {
    await switchLanguage(other());
    setAttribute(toggle, "lang", other());
  });
  return toggle;
}

function themeSwitch() {
  const icons = /** @type {const} */ ({ auto: "auto", light: "sun", dark: "moon" });
  const order = /** @type {const} */ ({ auto: "light", light: "dark", dark: "auto" });
  const kept = recall("theme");
  /** @type {Theme} */
  let theme = kept === "light" || kept === "dark" ? kept : "auto";
  const picture = icon(icons[theme]);
  const toggle = button({ class: "tool icon-only", testid: "theme", label: `theme.${theme}`, tip: `theme.${theme}` }, next, picture);

  function next() {
    theme = order[theme];
    const chosen = theme === "auto" ? null : theme;
    remember("theme", chosen);
    setAttribute(document.documentElement, "data-theme", chosen);
    redraw(picture, icons[theme]);
    toggle.dataset.tLabel = toggle.dataset.tTitle = `theme.${theme}`;
    translateOne(toggle);
  }
  return toggle;
}
