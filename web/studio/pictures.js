import { IMAGE_TYPES } from "../motionboard.js";
import { h, isTextField, show } from "./dom.js";
import { t } from "./i18n.js";
import { showToast } from "./texts.js";

/** @type {CreatePicture} */
export function createPicture({ lazy, onBroken, onShown }) {
  const element = h("span", { class: "picture" });
  /** @type {string | null} */
  let url = null;
  /** @type {HTMLImageElement | null} */
  let image = null;
  let alt = "";
  const broken = () => image?.classList.contains("broken") ?? false;

  const make = (/** @type {string} */ next) => {
    const made = h("img", { alt, decoding: "async", draggable: "false", loading: lazy && "lazy" });
    made.addEventListener("load", () => {
      made.classList.add("loaded");
      if (made === image) onShown?.(made);
    });
    made.addEventListener("error", () => {
      made.classList.add("broken");
      if (made === image) onBroken(next);
    });
    made.src = next;
    return made;
  };
  const put = (/** @type {typeof image} */ next) => {
    image = next;
    element.replaceChildren(...(next ? [next] : []));
    if (!next) onShown?.(null);
  };
  const swap = async (/** @type {string} */ next) => {
    const made = make(next);
    made.loading = "eager";
    await made.decode().catch(() => made.classList.add("broken"));
    if (next !== url) return;
    put(made);
    if (broken()) return onBroken(next);
    made.classList.add("loaded", "at-once");
    onShown?.(made);
  };

  return {
    element,
    broken,
    show(next, another = false) {
      if (next === url && !another) return;
      // Addresses change all at once, and not all pictures were ever loaded.
      const swappable = image?.classList.contains("loaded") && !another && !broken();
      url = next;
      if (next === null) put(null);
      else if (swappable) void swap(next);
      else if (image?.getAttribute("src") !== next || broken()) put(make(next));
    },
    describe(text) {
      if (alt === text) return;
      alt = text;
      if (image) image.alt = text;
    },
  };
}

const ECHO = { width: 48, height: 32 };

/** @type {CreateBackdrop} */
export function createBackdrop() {
  const canvas = h("canvas", { class: "backdrop", "aria-hidden": "true", ...ECHO });
  const paint = canvas.getContext("2d");
  return {
    element: canvas,
    show(image) {
      paint?.clearRect(0, 0, ECHO.width, ECHO.height);
      if (!paint || !image?.naturalWidth) return;
      const scale = Math.max(ECHO.width / image.naturalWidth, ECHO.height / image.naturalHeight);
      const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
      paint.drawImage(image, (ECHO.width - width) / 2, (ECHO.height - height) / 2, width, height);
    },
  };
}

/** @type {EnableIntake} */
export function enableIntake(app) {
  const veil = h("div", { class: "drop-veil", "aria-hidden": "true", hidden: true }, h("p", { t: "drop.here" }));
  document.body.append(veil);
  /** How many elements deep the pointer is: one is entered before the last is left. */
  let depth = 0;

  /** @type {OnFiles} */
  const onFiles = (type, listener) =>
    addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      listener(event, event.dataTransfer);
      show(veil, depth > 0);
    });

  onFiles("dragenter", () => (depth += 1));
  onFiles("dragleave", () => (depth -= 1));
  onFiles("dragover", (event, data) => {
    event.preventDefault();
    data.dropEffect = "copy";
  });
  onFiles("drop", (event, data) => {
    event.preventDefault();
    depth = 0;
    const onBoard = event.target instanceof Element && event.target.closest("#board");
    if (data.files.length) app.addPictures(onBoard ? undefined : app.selected()?.key, data.files);
    else showToast({ text: t("drop.nothing"), bad: true });
  });
  addEventListener("paste", (event) => {
    const data = event.clipboardData;
    if (!data?.files.length || (isTextField(event.target) && data.types.includes("text/plain"))) return;
    event.preventDefault();
    app.addPictures(app.selected()?.key, data.files);
  });
}

/** @type {CreatePicker} */
export function createPicker(app) {
  const input = h("input", { type: "file", accept: IMAGE_TYPES.join(), hidden: true, label: "picture.choose", testid: "file" });
  input.addEventListener("change", () => {
    if (input.files) app.addPictures(app.selected()?.key, input.files);
    // The same file again is a choice, too.
    input.value = "";
  });
  return { input, open: () => input.click() };
}
