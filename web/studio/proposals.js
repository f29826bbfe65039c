import { button, changes, h, icon, setAttribute, show } from "./dom.js";
import { language, t } from "./i18n.js";
import { pathOf } from "./inspector.js";
import { choiceLabel } from "./texts.js";

/** Beyond this many comparisons of words a text is shown as replaced. */
const LIMIT = 400_000;
/** @type {readonly FieldName[]} */
const fieldNames = ["camera_movement", "shot_type", "lighting", "motion_prompt"];

/** @type {MountProposals} */
export function mountProposals(exchange, app, { suggestions }) {
  const names = fieldNames.filter((name) => suggestions[name]);
  const take = (/** @type {readonly FieldName[]} */ chosen) => {
    const workspace = app.selected();
    if (workspace) app.board.edit(workspace.key, Object.fromEntries(chosen.map((name) => [pathOf(name), suggestions[name] ?? ""])), { now: true });
  };
  const proposals = names.map((name) => createProposal(name, suggestions[name] ?? "", () => take([name])));
  const all = button({ class: "button small", t: "assistant.all", testid: "accept-all" }, () => take(names));
  exchange.append(h("div", { class: "proposals" }, h("ul", {}, ...proposals.map((one) => one.element)), all));
  return (workspace) => {
    for (const proposal of proposals) proposal.update(workspace);
    show(all, names.length > 1 && names.some((name) => workspace.form_data[name] !== suggestions[name]));
  };
}

/** @type {CreateProposal} */
function createProposal(name, value, take) {
  const text = h("p", { class: "proposal-text" });
  const accept = button({ class: "button small", t: "assistant.take", testid: `accept-${name}` }, take);
  const done = h("span", { class: "proposal-done", tabindex: -1 }, icon("check"), h("span", { t: "assistant.taken" }));
  const element = h("li", { class: "proposal" }, h("div", { class: "proposal-head" }, h("span", { class: "proposal-name", t: `field.${name}` }), accept, done), text);
  const differs = changes();
  return {
    element,
    update({ form_data }) {
      const current = form_data[name];
      if (!differs(current, language())) return;
      const taken = current === value;
      const focused = document.activeElement === accept;
      element.classList.toggle("taken", taken);
      show(done, taken);
      show(accept, !taken);
      if (focused && taken) done.focus();
      setAttribute(accept, "aria-label", t("assistant.take.field", { field: t(`field.${name}`) }));
      text.replaceChildren(...(taken ? [choiceLabel(value)] : comparison(name, current, value)));
    },
  };
}

/** @type {Comparison} */
function comparison(name, before, after) {
  if (name === "motion_prompt" && before) {
    return difference(before, after).map(({ kind, text }) => (kind === "same" ? text : h(kind === "gone" ? "del" : "ins", {}, text)));
  }
  const arrow = h("span", { class: "proposal-arrow", label: "assistant.becomes", role: "img" }, "→");
  return [...(before ? [h("del", {}, choiceLabel(before)), arrow] : []), h("ins", {}, choiceLabel(after))];
}

/** @type {Difference} */
function difference(before, after) {
  const a = words(before);
  const b = words(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const middle = compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return joined([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))]);
}

/** @type {Words} */
function words(text) {
  return text.match(/[A-Za-z0-9']+|\s+|./gsu) ?? [];
}

/** @type {Same} */
function same(list) {
  return list.map((text) => ({ kind: "same", text }));
}

/** By the longest common subsequence. @type {Compare} */
function compare(a, b) {
  if (a.length * b.length > LIMIT) return [{ kind: "gone", text: a.join("") }, { kind: "new", text: b.join("") }];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const length = (/** @type {number} */ i, /** @type {number} */ j) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  /** @type {Piece[]} */
  const pieces = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      pieces.push({ kind: "same", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || length(i + 1, j) >= length(i, j + 1))) {
      pieces.push({ kind: "gone", text: a[i] ?? "" });
      i += 1;
    } else {
      pieces.push({ kind: "new", text: b[j] ?? "" });
      j += 1;
    }
  }
  return pieces;
}

/** @type {Joined} */
function joined(pieces) {
  /** @type {Piece[]} */
  const result = [];
  for (const { kind, text } of pieces) {
    const last = result.at(-1);
    if (last?.kind === kind) last.text += text;
    else result.push({ kind, text });
  }
  return result;
}
