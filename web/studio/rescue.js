import { t } from "./i18n.js";
import { showToast } from "./messages.js";

/**
 * A workspace was deleted elsewhere while edits of it were on their way: shows what was typed, and offers to make a new one of it.
 * @type {(app: App, workspace: Workspace, updates: { [path: string]: unknown }) => void}
 */
export function offerRescue(app, workspace, updates) {
  const typed = Object.values(updates).filter((value) => typeof value === "string" && value !== "");
  const run = () => saveAsNew(app, workspace, updates);
  showToast({ text: t("lost"), detail: typed.join(" · ").slice(0, 200), ms: 0, bad: true, action: { label: t("lost.save"), run } });
}

/** @type {(app: App, workspace: Workspace, updates: { [path: string]: unknown }) => void} */
function saveAsNew(app, { form_data, image_path }, updates) {
  const picture = image_path ? { image_path, image_url: `/api/${image_path}` } : {};
  const values = { ...leaves("form_data", form_data), ...picture, ...updates };
  const key = app.board.create();
  app.board.edit(key, /** @type {import("../motionboard.js").Updates} */ (values));
  app.select(key);
}

/** A tree of values as its leaves, by path: a path must not be the parent of another in one change. @type {(path: string, value: unknown) => { [path: string]: unknown }} */
function leaves(path, value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { [path]: value };
  return Object.assign({}, ...Object.entries(value).map(([name, below]) => leaves(`${path}.${name}`, below)));
}
