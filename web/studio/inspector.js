import { arrange, button, changes, h, icon, setAttribute, setText, show } from "./dom.js";
import { createChoice, createPrompt, vocabulary } from "./fields.js";
import { obstacle } from "./actions.js";
import { language, t } from "./i18n.js";
import { announce, errorText, moment } from "./messages.js";

/**
 * What is to be made of the shown workspace's picture: the form, the assistant, and the button that orders the video.
 * @type {MountInspector}
 */
export function mountInspector(root, app, generation) {
  const names = /** @type {ChoiceField[]} */ (Object.keys(vocabulary));
  const fields = [...names.map((name) => createChoice(app, name)), createPrompt(app)];
  const heading = h("h3", { id: "form-title" }, icon("film"), h("span", { t: "form.title" }));
  const form = h("section", { class: "section form", "aria-labelledby": "form-title" }, heading, ...fields.map((field) => field.element));
  const assistant = createAssistant(app);
  const blank = h("p", { class: "inspector-blank", t: "inspector.blank" });
  const skeleton = h("div", { class: "section", "aria-hidden": "true" }, ...[...fields].map(() => h("div", { class: "field-skeleton" }, h("i"), h("i"))));
  const body = h("div", { class: "inspector-body" }, blank, skeleton);
  const order = createOrder(app, generation);
  root.append(body, order.element);
  let lastKey = "";

  return ({ loaded, error }, workspace) => {
    order.update(workspace, loaded);
    setAttribute(root, "data-blank", workspace ? null : "true");
    if (workspace && !form.isConnected) body.prepend(form, assistant.element);
    for (const element of [form, assistant.element]) show(element, workspace !== undefined);
    show(blank, !workspace && loaded);
    show(skeleton, !workspace && !loaded && !error);
    if (!workspace) return;
    if (workspace.key !== lastKey) body.scrollTop = 0;
    lastKey = workspace.key;
    for (const part of [...fields, assistant]) part.update(workspace);
  };
}

/** The button that orders a video, with what stands in its way. @type {CreateOrder} */
function createOrder(app, generation) {
  const words = h("span");
  const order = button({ class: "button primary large", testid: "generate", "aria-describedby": "generate-note" }, generation.start, icon("play"), words);
  const note = h("p", { class: "order-note", id: "generate-note" });
  const differs = changes();
  return {
    element: h("div", { class: "order" }, order, note),
    update(workspace, loaded) {
      const hindrance = obstacle(app, workspace);
      const busy = hindrance === "generate.running" || hindrance === "generate.requesting";
      const error = workspace && !busy ? generation.error(workspace.key) : null;
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

/** @type {(workspace: Workspace | undefined) => Word} */
function orderWord(workspace) {
  if (workspace?.video.status === "completed") return "generate.again";
  return workspace?.video.status === "failed" ? "generate.retry" : "generate";
}

const MAX_CHARACTERS = 4000;

/** Requests that are a click away. */
const quick = /** @type {const} */ (["assistant.quick.cinematic", "assistant.quick.camera", "assistant.quick.light", "assistant.quick.prompt"]);

/** The assistant: asks for better parameters, and shows what it proposed. @type {(app: App) => Part<[Workspace]>} */
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

  /** @param {string} of */
  const talkOf = (of) => talks.get(of) ?? { draft: "", busy: false, error: null };

  /** @type {(of: string, change: Partial<Talk>) => void} */
  function set(of, change) {
    talks.set(of, { ...talkOf(of), ...change });
    app.changed();
  }

  /** @param {string} question */
  async function ask(question) {
    const asked = key;
    if (!question.trim() || talkOf(asked).busy) return;
    set(asked, { busy: true, error: null });
    try {
      await app.board.suggest(asked, question.trim());
      set(asked, { busy: false, draft: "" });
      if (asked === key) exchanges.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
      announce(t("announce.suggested"));
    } catch (reason) {
      set(asked, { busy: false, error: reason });
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void ask(input.value);
  });
  input.addEventListener("input", () => set(key, { draft: input.value }));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
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

/** The newest exchange, and the earlier ones behind a fold. @type {(app: App) => Part<[Workspace]>} */
function createExchanges(app) {
  const newest = h("div");
  const summary = h("summary");
  const earlier = h("div", { class: "earlier" });
  const fold = h("details", { hidden: true }, summary, earlier);
  /** By the exchange itself: it stays the same object for as long as it doesn't change. @type {WeakMap<Exchange, Part<[Workspace]>>} */
  const known = new WeakMap();
  const differs = changes();

  /** @type {(workspace: Workspace, exchanges: readonly Exchange[]) => HTMLElement[]} */
  function draw(workspace, exchanges) {
    return exchanges.map((exchange) => {
      const view = known.get(exchange) ?? createExchange(app, exchange);
      known.set(exchange, view);
      view.update(workspace);
      return view.element;
    });
  }

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

/** What was asked of the assistant, and what it answered. The comparison of old and new is loaded with the first of them. @type {(app: App, exchange: Exchange) => Part<[Workspace]>} */
function createExchange(app, exchange) {
  const when = h("time", { datetime: exchange.created_at });
  const head = h("div", { class: "exchange-head" }, h("p", { class: "exchange-question" }, exchange.user_input), when);
  const element = h("article", { class: "exchange", testid: "exchange" }, head, h("p", { class: "exchange-reasoning" }, exchange.suggestions.reasoning));
  /** @type {Part<[Workspace]> | undefined} */
  let proposals;
  /** @type {Workspace} */
  let last;
  import("./proposals.js").then(
    ({ createProposals }) => {
      proposals = createProposals(app, exchange);
      proposals.update(last);
      element.append(proposals.element);
    },
    () => undefined,
  );
  return {
    element,
    update(workspace) {
      last = workspace;
      setText(when, moment(exchange.created_at));
      proposals?.update(workspace);
    },
  };
}
