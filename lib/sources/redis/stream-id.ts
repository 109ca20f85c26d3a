/**
 * A stream id: `<milliseconds>-<number>`, each without leading zeros, as Redis writes it. Nineteen
 * digits are always of 64 bits.
 */
const STREAM_ID = /^(?:0|[1-9]\d{0,18})-(?:0|[1-9]\d{0,18})$/;
const LONG_STREAM_ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;

/** The largest number of 64 bits. Digits of the same length compare as text. */
const MAX_NUMBER = '18446744073709551615';
/** A double holds numbers of up to this many digits exactly. */
const EXACT_DIGITS = 15;
const DASH = 45;

/**
 * Whether a text is a stream id. Redis answers a range from any other text with an error.
 */
export function isStreamId(text: string): boolean {
  if (STREAM_ID.test(text)) {
    return true;
  }
  const [, time, number] = LONG_STREAM_ID.exec(text) ?? [];
  return time !== undefined && fits(time) && fits(number!);
}

function fits(digits: string): boolean {
  return digits.length < MAX_NUMBER.length || digits <= MAX_NUMBER;
}

/** Orders two stream ids, without leading zeros: below zero when `a` is before `b`. */
export function compareStreamIds(a: string, b: string): number {
  const dash = a.indexOf('-');
  if (a.length === b.length && b.charCodeAt(dash) === DASH) {
    return a === b ? 0 : a < b ? -1 : 1;
  }
  const longer = dash - b.indexOf('-');
  if (longer !== 0) {
    return longer;
  }
  const [timeOfA, timeOfB] = [a.slice(0, dash), b.slice(0, dash)];
  return timeOfA === timeOfB ? a.length - b.length : timeOfA < timeOfB ? -1 : 1;
}

/**
 * The ids of `count` events, of which the first has this id and the others follow it in the same
 * millisecond; `undefined` when there are no such ids.
 */
export function streamIdsFrom(first: string, count: number): string[] | undefined {
  if (count === 1) {
    return [first];
  }
  const at = first.indexOf('-') + 1;
  if (first.length - at > EXACT_DIGITS) {
    const ids = Array.from({ length: count }, (_, nth) => laterStreamId(first, nth));
    return ids.every((id) => id !== undefined) ? ids : undefined;
  }
  const time = first.slice(0, at);
  const number = Number(first.slice(at));
  const ids: string[] = [];
  for (let next = number; next < number + count; next++) {
    ids.push(time + next);
  }
  return ids;
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
