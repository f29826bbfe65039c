// Runs before the first paint, so that neither the theme nor the language's fonts change under the reader's eyes.
{
  /** @param {string} name */
  const remembered = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  const theme = remembered("motionboard.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (remembered("motionboard.language") === "en") document.documentElement.lang = "en";
}
