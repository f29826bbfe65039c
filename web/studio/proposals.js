import { difference } from "./diff.js";
import { button, changes, h, icon, setAttribute, show } from "./dom.js";
import { pathOf } from "./fields.js";
import { language, t } from "./i18n.js";
import { choiceLabel } from "./messages.js";

/** @type {readonly FieldName[]} */
const fieldNames = ["camera_movement", "shot_type", "lighting", "motion_prompt"];

/** What the assistant proposes: each proposal can be taken on its own. @type {(app: App, exchange: Exchange) => Part<[Workspace]>} */
export function createProposals(app, { suggestions }) {
  const names = fieldNames.filter((name) => suggestions[name]);
  /** @param {readonly FieldName[]} chosen */
  const take = (chosen) => {
    const workspace = app.selected();
    if (workspace) app.board.edit(workspace.key, Object.fromEntries(chosen.map((name) => [pathOf(name), suggestions[name] ?? ""])), { now: true });
  };
  const proposals = names.map((name) => createProposal(name, suggestions[name] ?? "", () => take([name])));
  const all = button({ class: "button small", t: "assistant.all", testid: "accept-all" }, () => take(names));
  return {
    element: h("div", { class: "proposals" }, h("ul", {}, ...proposals.map((one) => one.element)), all),
    update(workspace) {
      for (const proposal of proposals) proposal.update(workspace);
      show(all, names.length > 1 && names.some((name) => workspace.form_data[name] !== suggestions[name]));
    },
  };
}

/** @type {(name: FieldName, value: string, take: () => void) => Part<[Workspace]>} */
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

/** The old and the new: a prompt with what changed within it, a choice as a whole. @type {(name: FieldName, before: string, after: string) => (Node | string)[]} */
function comparison(name, before, after) {
  if (name === "motion_prompt" && before) {
    return difference(before, after).map(({ kind, text }) => (kind === "same" ? text : h(kind === "gone" ? "del" : "ins", {}, text)));
  }
  const arrow = h("span", { class: "proposal-arrow", label: "assistant.becomes", role: "img" }, "→");
  return [...(before ? [h("del", {}, choiceLabel(before)), arrow] : []), h("ins", {}, choiceLabel(after))];
}
