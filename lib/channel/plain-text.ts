/**
 * What nobody sees, or what makes a text look like another: control characters, line ends, marks that change the
 * order of a text, characters without width, tags, variation selectors, and halves of surrogate pairs.
 * What joins or colours an emoji is seen as the emoji. The page of the inspector has the same rule.
 */
const UNSEEN =
  /(?!(?<=\p{ExtPict}\p{EMod}?\ufe0f?)\u200d(?=\p{ExtPict})|(?<=\p{ExtPict})\ufe0f)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** A text of which one sees every character: others are written as `\x1b`, `\u202e` or `\u{e0041}`. */
export function plain(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** A value as JSON in one line, of which one sees every character. It has the same value. */
export function plainJson(value: object | string): string {
  return JSON.stringify(value).replace(UNSEEN, escapedInJson);
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!.toString(16);
  if (code.length > 4) {
    return `\\u{${code}}`;
  }
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}

/** JSON knows no `\x1b`, and has a pair for what is above U+FFFF. */
function escapedInJson(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
