import { IMAGE_TYPES } from "../motionboard.js";
import { h, isTextField, show } from "./dom.js";
import { t } from "./i18n.js";
import { showToast } from "./messages.js";

/**
 * A box with one picture. The picture stays the same element while its address does; another one takes its place only when it can be
 * shown, so that nothing flashes between a preview and what was uploaded.
 * @type {(options: PictureOptions) => Picture}
 */
export function createPicture({ lazy, onBroken, onShown }) {
  const element = h("span", { class: "picture" });
  /** @type {string | null} */
  let url = null;
  /** @type {HTMLImageElement | null} */
  let image = null;
  let alt = "";
  const broken = () => image?.classList.contains("broken") ?? false;

  /** @param {string} next */
  function make(next) {
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
  }

  /** @param {HTMLImageElement | null} next */
  function put(next) {
    image = next;
    element.replaceChildren(...(next ? [next] : []));
    if (!next) onShown?.(null);
  }

  /** @param {string} next */
  async function swap(next) {
    const made = make(next);
    made.loading = "eager";
    await made.decode().catch(() => made.classList.add("broken"));
    if (next !== url) return;
    put(made);
    if (broken()) return onBroken(next);
    made.classList.add("loaded", "at-once");
    onShown?.(made);
  }

  return {
    element,
    broken,
    show(next, another = false) {
      if (next === url && !another) return;
      const swappable = image !== null && !another && !broken();
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

/** A blurred echo of a picture, for the room that the picture itself leaves in its box. */
export function createBackdrop() {
  const canvas = h("canvas", { class: "backdrop", "aria-hidden": "true", ...ECHO });
  const paint = canvas.getContext("2d");
  return {
    element: canvas,
    /** @param {HTMLImageElement | null} image */
    show(image) {
      paint?.clearRect(0, 0, ECHO.width, ECHO.height);
      if (!paint || !image?.naturalWidth) return;
      const scale = Math.max(ECHO.width / image.naturalWidth, ECHO.height / image.naturalHeight);
      const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
      paint.drawImage(image, (ECHO.width - width) / 2, (ECHO.height - height) / 2, width, height);
    },
  };
}

/** Takes pictures that are dropped anywhere on the page, or pasted. @type {(app: App, actions: Actions) => void} */
export function enableIntake(app, actions) {
  const veil = h("div", { class: "drop-veil", "aria-hidden": "true", hidden: true }, h("p", { t: "drop.here" }));
  document.body.append(veil);
  /** How many elements deep the pointer is: one is entered before the last is left. */
  let depth = 0;

  /** @type {(type: "dragenter" | "dragleave" | "dragover" | "drop", listener: (event: DragEvent, data: DataTransfer) => void) => void} */
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
    if (data.files.length) actions.addPictures(onBoard ? undefined : app.selected()?.key, [...data.files]);
    else showToast({ text: t("drop.nothing"), bad: true });
  });
  addEventListener("paste", (event) => {
    const data = event.clipboardData;
    if (!data?.files.length || (isTextField(event.target) && data.types.includes("text/plain"))) return;
    event.preventDefault();
    actions.addPictures(app.selected()?.key, [...data.files]);
  });
}

/** The browser's own choice of files. @param {(files: File[]) => void} chosen */
export function createPicker(chosen) {
  const input = h("input", { type: "file", accept: IMAGE_TYPES.join(), hidden: true, label: "picture.choose", testid: "file" });
  input.addEventListener("change", () => {
    chosen([...(input.files ?? [])]);
    // The same file again is a choice, too.
    input.value = "";
  });
  return { input, open: () => input.click() };
}
