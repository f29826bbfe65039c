import { recall, remember } from "./remember.js";

/** A page whose parts can't be loaded at all must not reload for ever. */
const RELOAD_MS = 60_000;

/** Loads what could not be loaded while the network was gone: pictures, and parts of the page, for which browsers need a reload. @type {LoadAgain} */
export function loadAgain({ uploads }, isIncomplete) {
  for (const image of document.querySelectorAll("img.broken")) {
    image.classList.remove("broken");
    image.setAttribute("src", image.getAttribute("src") ?? "");
  }
  const isLongAgo = Date.now() - Number(recall("reload") ?? 0) > RELOAD_MS;
  // Nothing is lost by it but an upload.
  if (!isIncomplete || uploads.size > 0 || !isLongAgo) return;
  remember("reload", String(Date.now()));
  location.reload();
}
