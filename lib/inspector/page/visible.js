/** The rule of lib/channel/plain-text.ts, for logs and commands; a test compares the two. */
const UNSEEN =
  /(?!(?<=\p{ExtPict}\p{EMod}?\ufe0f?)\u200d(?=\p{ExtPict})|(?<=\p{ExtPict})\ufe0f)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * A text of which one sees every character: those that nobody sees, or that turn a text around, are written as
 * `\x1b`, `\u202e` or `\u{e0041}`. Clients choose names, and events hold anything.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(UNSEEN, escaped);
}

/** The same, with line breaks and tabs as they are. @param {string} text */
export function visibleLines(text) {
  return text.replace(UNSEEN, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}

/** @param {string} character */
function escaped(character) {
  const code = /** @type {number} */ (character.codePointAt(0)).toString(16);
  if (code.length > 4) return `\\u{${code}}`;
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}
