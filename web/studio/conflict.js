import { button, changes, h, icon, setText, show } from "./dom.js";
import { pathOf } from "./inspector.js";
import { language, t } from "./i18n.js";
import { announce, choiceLabel } from "./texts.js";
import "./late-style.js";

/** @type {MountConflict} */
export function mountConflict(field, app, name) {
  const theirs = h("blockquote", { lang: "" });
  const settle = (/** @type {"mine" | "theirs"} */ keep) =>
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
  field.append(element);
  return (state) => {
    if (!differs(state, language())) return;
    const conflicting = state?.state === "conflict";
    if (conflicting && element.hidden) announce(t("announce.conflict", { field: t(`field.${name}`) }));
    show(element, conflicting);
    setText(theirs, choiceLabel(String(state?.theirs ?? "")) || t("conflict.blank"));
  };
}
