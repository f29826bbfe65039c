/** Beyond this many comparisons a text is shown as replaced. */
const LIMIT = 400_000;

/** What became of a text: word by word, and character by character where there are no spaces. @type {(before: string, after: string) => Piece[]} */
export function difference(before, after) {
  const a = words(before);
  const b = words(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const middle = compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return joined([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))]);
}

/** @param {string} text */
function words(text) {
  return text.match(/[A-Za-z0-9']+|\s+|./gsu) ?? [];
}

/** @type {(list: string[]) => Piece[]} */
function same(list) {
  return list.map((text) => ({ kind: "same", text }));
}

/** By the longest common subsequence. @type {(a: string[], b: string[]) => Piece[]} */
function compare(a, b) {
  if (a.length * b.length > LIMIT) return [{ kind: "gone", text: a.join("") }, { kind: "new", text: b.join("") }];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const length = (/** @type {number} */ i, /** @type {number} */ j) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  /** @type {Piece[]} */
  const pieces = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      pieces.push({ kind: "same", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || length(i + 1, j) >= length(i, j + 1))) {
      pieces.push({ kind: "gone", text: a[i] ?? "" });
      i += 1;
    } else {
      pieces.push({ kind: "new", text: b[j] ?? "" });
      j += 1;
    }
  }
  return pieces;
}

/** Neighbours of one kind as one. @param {Piece[]} pieces */
function joined(pieces) {
  /** @type {Piece[]} */
  const result = [];
  for (const { kind, text } of pieces) {
    const last = result.at(-1);
    if (last?.kind === kind) last.text += text;
    else result.push({ kind, text });
  }
  return result;
}
