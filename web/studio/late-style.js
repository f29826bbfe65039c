// Modules that bring what is not there at first import this one: they run when its style is there, so that nothing flashes.
import { h } from "./dom.js";

const link = h("link", { rel: "stylesheet", href: new URL("../late.css", import.meta.url).href });
await new Promise((settled) => {
  link.addEventListener("load", settled);
  // Better without a style than not at all.
  link.addEventListener("error", settled);
  document.head.append(link);
});
