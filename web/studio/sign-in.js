import { button, h, icon } from "./dom.js";
import { keepToken } from "./remember.js";
import "./late-style.js";

/** @type {HTMLDialogElement | undefined} */
let dialog;

/** @type {AskForToken} */
export function askForToken(retry) {
  dialog ??= createDialog(retry);
  if (!dialog.isConnected) document.body.append(dialog);
  if (!dialog.open) dialog.showModal();
}

export function stopAsking() {
  dialog?.close();
}

/** @type {CreateDialog} */
function createDialog(retry) {
  const input = h("input", { class: "control", type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true, autofocus: true });
  const head = h("div", { class: "dialog-head" }, h("h2", { id: "sign-in-title", t: "sign-in.title" }), button({ class: "icon-button", label: "close" }, stopAsking, icon("close")));
  const go = button({ class: "button primary", type: "submit", t: "sign-in.go" });
  const form = h("form", { method: "dialog" }, head, h("p", { t: "sign-in.more" }), h("label", { for: "token", t: "sign-in.token" }), input, go);
  form.addEventListener("submit", () => {
    keepToken(input.value.trim().replace(/^Bearer\s+/i, ""));
    input.value = "";
    retry();
  });
  return h("dialog", { class: "dialog", "aria-labelledby": "sign-in-title", testid: "sign-in" }, form);
}
