// Runs before the first paint, so that neither the theme nor the language's fonts change under the reader's eyes.
try {
  const { documentElement: root } = document;
  const theme = localStorage.getItem("motionboard.theme");
  if (theme) root.dataset.theme = theme;
  if (localStorage.getItem("motionboard.language") === "en") root.lang = "en";
} catch {
  // The browser keeps nothing: then there is nothing to begin with.
}
