/** @type {Recall} */
export const recall = (name) => read("localStorage", name);
/** @type {Remember} */
export const remember = (name, value) => write("localStorage", name, value);

/** Where the browser forbids storage, the token lives as long as the page. @type {string | null} */
let token = null;

/** @type {KeepToken} */
export function keepToken(next) {
  token = next;
  write("sessionStorage", "token", next);
}

/** @type {PastedToken} */
export function pastedToken({ renew }) {
  if (renew) keepToken(null);
  return read("sessionStorage", "token") ?? token;
}

/** @type {ReadStorage} */
function read(storage, name) {
  try {
    return window[storage].getItem(`motionboard.${name}`);
  } catch {
    return null;
  }
}

/** @type {WriteStorage} */
function write(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(`motionboard.${name}`);
    else window[storage].setItem(`motionboard.${name}`, value);
  } catch {
    // Forgotten at the next visit.
  }
}
