/** A line of JSON. Control characters are escaped, also those that JSON allows. */
export function jsonLine(value: object): string {
  // oxlint-disable-next-line no-control-regex
  const forbidden = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  return `${JSON.stringify(value).replace(forbidden, escaped)}\n`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
