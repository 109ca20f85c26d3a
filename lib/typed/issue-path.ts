import type { StandardIssue } from './standard-schema.js';

/** The most characters of a path, and the most of its segments. */
const MOST_CHARACTERS = 200;
const MOST_SEGMENTS = 50;
/** A key that may be of the data. */
const UNNAMED = '[…]';

/**
 * Where in the data an issue is: the places in arrays, and the keys that the schema names.
 *
 * @param names the keys that the schema names
 * @throws what the getters of a path throw
 */
export function pathText(
  path: StandardIssue['path'],
  data: unknown,
  names: ReadonlySet<string>,
): string {
  let text = '';
  let at = data;
  const count = Array.isArray(path) ? path.length : 0;
  for (let nth = 0; nth < count; nth++) {
    const key = keyOf(path![nth]);
    const isPlace = Array.isArray(at) && isPlaceIn(at, key);
    const next = isPlace ? `[${String(key)}]` : keyText(key, names, text === '');
    if (nth === MOST_SEGMENTS || text.length + next.length >= MOST_CHARACTERS) {
      return `${text}…`;
    }
    text += next;
    at = valueAt(at, key);
  }
  return text;
}

function keyOf(segment: unknown): unknown {
  return typeof segment === 'object' && segment !== null
    ? (segment as { readonly key?: unknown }).key
    : segment;
}

function isPlaceIn(list: readonly unknown[], key: unknown): boolean {
  const place = typeof key === 'string' && /^\d{1,10}$/.test(key) ? Number(key) : key;
  return typeof place === 'number' && Number.isInteger(place) && place >= 0 && place < list.length;
}

function keyText(key: unknown, names: ReadonlySet<string>, isFirst: boolean): string {
  if (typeof key !== 'string' || !names.has(key)) {
    return UNNAMED;
  }
  if (/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)) {
    return isFirst ? key : `.${key}`;
  }
  return `[${JSON.stringify(key)}]`;
}

/** What is at a key of the data, without a call of its getters. */
function valueAt(container: unknown, key: unknown): unknown {
  return typeof container === 'object' && container !== null
    ? Object.getOwnPropertyDescriptor(container, key as PropertyKey)?.value
    : undefined;
}
