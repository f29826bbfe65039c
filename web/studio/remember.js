/** What is kept between visits. A browser may forbid it: then nothing is remembered, and nothing breaks. @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(`motionboard.${name}`);
  } catch {
    return null;
  }
}

/** Keeps a value; null forgets it. @type {(name: string, value: string | null) => void} */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`motionboard.${name}`);
    else localStorage.setItem(`motionboard.${name}`, value);
  } catch {
    // Forgotten at the next visit.
  }
}

const NAME = "motionboard.token";
/** Where the browser forbids storage, the token lives as long as the page. @type {string | null} */
let kept = null;

/** Keeps a token for as long as the tab lives; null forgets it. @param {string | null} token */
export function keepToken(token) {
  kept = token;
  try {
    if (token === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, token);
  } catch {
    // Kept above.
  }
}

/** The `getToken` of a page without a sign-in of its own. A pasted token can't be renewed: one that was refused is forgotten. @type {(request: { renew: boolean }) => string | null} */
export function pastedToken({ renew }) {
  if (renew) keepToken(null);
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return kept;
  }
}
