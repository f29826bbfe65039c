import { t } from "./i18n.js";
import { showToast } from "./messages.js";

/** @type {Rescue} */
export function offerRescue(app, workspace, updates) {
  const typed = Object.values(updates).filter((value) => typeof value === "string" && value !== "");
  const run = () => saveAsNew(app, workspace, updates);
  showToast({ text: t("lost"), detail: typed.join(" · ").slice(0, 200), ms: 0, bad: true, action: { label: t("lost.save"), run } });
}

/** @type {Rescue} */
function saveAsNew(app, { form_data, image_path }, updates) {
  const picture = image_path ? { image_path, image_url: `/api/${image_path}` } : {};
  const values = { ...leaves("form_data", form_data), ...picture, ...updates };
  const key = app.board.create();
  app.board.edit(key, /** @type {import("../motionboard.js").Updates} */ (values));
  app.select(key);
}

/** @type {Leaves} */
function leaves(path, value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { [path]: value };
  return Object.assign({}, ...Object.entries(value).map(([name, below]) => leaves(`${path}.${name}`, below)));
}
