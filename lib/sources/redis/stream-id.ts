/** A stream id: `<milliseconds>-<number>`, each without leading zeros, as Redis writes it. */
const STREAM_ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;

/** The largest number of 64 bits. Digits of the same length compare as text. */
const MAX_NUMBER = '18446744073709551615';
/** A double holds numbers of up to this many digits exactly. */
const EXACT_DIGITS = 15;

/**
 * Whether a text is a stream id. Redis answers a range from any other text with an error.
 */
export function isStreamId(text: string): boolean {
  const match = STREAM_ID.exec(text);
  return match !== null && fits(match[1]!) && fits(match[2]!);
}

function fits(digits: string): boolean {
  return digits.length < MAX_NUMBER.length || digits <= MAX_NUMBER;
}

/** Orders two stream ids, without leading zeros: below zero when `a` is before `b`. */
export function compareStreamIds(a: string, b: string): number {
  const [dashOfA, dashOfB] = [a.indexOf('-'), b.indexOf('-')];
  return (
    compareNumbers(a.slice(0, dashOfA), b.slice(0, dashOfB)) ||
    compareNumbers(a.slice(dashOfA + 1), b.slice(dashOfB + 1))
  );
}

/**
 * The id that is `steps` after another one in the same millisecond, or before it when that is
 * below zero; `undefined` when there is none.
 */
export function laterStreamId(id: string, steps: number): string | undefined {
  const dash = id.indexOf('-');
  const number = id.slice(dash + 1);
  if (number.length <= EXACT_DIGITS) {
    const later = Number(number) + steps;
    return later < 0 ? undefined : `${id.slice(0, dash)}-${later}`;
  }
  const later = BigInt(number) + BigInt(steps);
  return later > BigInt(MAX_NUMBER) ? undefined : `${id.slice(0, dash)}-${later}`;
}

/** Compares numbers as text, since a double may not hold them exactly. */
function compareNumbers(a: string, b: string): number {
  if (a === b) {
    return 0;
  }
  return a.length - b.length || (a < b ? -1 : 1);
}
