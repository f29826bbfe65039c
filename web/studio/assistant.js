import { arrange, button, changes, h, icon, isComposing, later, setAttribute, setText, show } from "./dom.js";
import { language, t, translate } from "./i18n.js";
import { announce, errorText, moment } from "./texts.js";

const MAX_CHARACTERS = 4000;
/** Requests that are a click away. */
const quick = /** @type {const} */ (["assistant.quick.cinematic", "assistant.quick.camera", "assistant.quick.light", "assistant.quick.prompt"]);

/** @type {CreateAssistant} */
export function createAssistant(app) {
  /** @type {Map<string, Talk>} */
  const talks = new Map();
  const input = h("textarea", { class: "control", rows: 2, maxlength: MAX_CHARACTERS, label: "assistant.input", hint: "assistant.hint", testid: "assistant-input" });
  const send = button({ class: "icon-button send", type: "submit", label: "assistant.send", testid: "assistant-send" }, null, icon("send"));
  const chips = quick.map((word) => button({ class: "chip", t: word }, () => ask(t(word))));
  const thinking = h("p", { class: "thinking", t: "assistant.busy" });
  const error = h("p", { class: "inline-error", role: "alert" });
  const form = h("form", { class: "assistant-form" }, input, send);
  const exchanges = createExchanges(app);
  const heading = h("h3", { id: "assistant-title" }, icon("spark"), h("span", { t: "assistant.title" }));
  const element = h("section", { class: "section assistant", "aria-labelledby": "assistant-title", testid: "assistant" }, heading, h("div", { class: "chips" }, ...chips), form, thinking, error, exchanges.element);
  const differs = changes();
  let key = "";

  const talkOf = (/** @type {string} */ of) => talks.get(of) ?? { draft: "", busy: false, error: null };
  /** @type {ChangeTalk} */
  const set = (of, change) => {
    talks.set(of, { ...talkOf(of), ...change });
    app.changed();
  };
  const ask = async (/** @type {string} */ question) => {
    const asked = key;
    if (!question.trim() || talkOf(asked).busy) return;
    set(asked, { busy: true, error: null });
    try {
      await app.board.suggest(asked, question.trim());
      // What was typed meanwhile stays.
      set(asked, { busy: false, ...(talkOf(asked).draft === question && { draft: "" }) });
      if (asked === key) exchanges.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
      announce(t("announce.suggested"));
    } catch (reason) {
      set(asked, { busy: false, error: reason });
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void ask(input.value);
  });
  input.addEventListener("input", () => set(key, { draft: input.value }));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    void ask(input.value);
  });

  return {
    element,
    update(workspace) {
      ({ key } = workspace);
      const talk = talkOf(key);
      exchanges.update(workspace);
      if (!differs(key, talks.get(key), language())) return;
      if (input.value !== talk.draft) input.value = talk.draft;
      show(thinking, talk.busy);
      setAttribute(element, "aria-busy", talk.busy ? "true" : null);
      for (const one of [...chips, send]) setAttribute(one, "aria-disabled", talk.busy ? "true" : null);
      show(error, talk.error !== null);
      setText(error, talk.error === null ? "" : errorText(talk.error));
    },
  };
}

/** @type {CreateExchanges} */
function createExchanges(app) {
  const newest = h("div");
  const summary = h("summary");
  const earlier = h("div", { class: "earlier" });
  const fold = h("details", { hidden: true }, summary, earlier);
  /** @type {WeakMap<Exchange, Part<[Workspace]>>} */
  const known = new WeakMap();
  const differs = changes();

  /** @type {DrawExchanges} */
  const draw = (workspace, exchanges) =>
    exchanges.map((exchange) => {
      const view = known.get(exchange) ?? createExchange(app, exchange);
      known.set(exchange, view);
      view.update(workspace);
      translate(view.element);
      return view.element;
    });

  fold.addEventListener("toggle", app.changed);
  return {
    element: h("div", { class: "exchanges" }, newest, fold),
    update(workspace) {
      const all = workspace.ai_collaboration;
      if (!differs(workspace.key, all, workspace.form_data, fold.open, language())) return;
      arrange(newest, draw(workspace, all.slice(-1)));
      show(fold, all.length > 1);
      setText(summary, t("assistant.earlier", { count: all.length - 1 }));
      if (fold.open) arrange(earlier, draw(workspace, all.slice(0, -1).reverse()));
    },
  };
}

/** @type {CreateExchange} */
function createExchange(app, exchange) {
  const when = h("time", { datetime: exchange.created_at });
  const head = h("div", { class: "exchange-head" }, h("p", { class: "exchange-question" }, exchange.user_input), when);
  const element = h("article", { class: "exchange", testid: "exchange" }, head, h("p", { class: "exchange-reasoning" }, exchange.suggestions.reasoning));
  const proposals = later((_workspace) => true, async () => (await import("./proposals.js")).mountProposals(element, app, exchange));
  return {
    element,
    update(workspace) {
      setText(when, moment(exchange.created_at));
      proposals(workspace);
    },
  };
}
