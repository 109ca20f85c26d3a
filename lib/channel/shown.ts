/** A short form of any value for an error's message. */
export function shown(value: unknown): string {
  let text: string;
  if (typeof value === 'string') {
    text = JSON.stringify(value);
  } else if (typeof value === 'object' && value !== null) {
    text = Array.isArray(value) ? 'an array' : 'an object';
  } else {
    text = String(value);
  }
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
