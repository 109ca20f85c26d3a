import { kindOf } from '../../channel/shown.js';

/** The options that a library takes for a client. */
export interface ObjectForm {
  /** The library, for people. */
  readonly library: string;
  /** The keys that it knows. */
  readonly keys: readonly string[];
  /** The keys that name the server. Without any, the library would look for it on localhost. */
  readonly serverKeys: readonly string[];
  /** Keys of other libraries, in lower case and without `_`, and what to write in their place. */
  readonly foreign: Readonly<Record<string, string>>;
}

/** Functions of clients, of whatever library, that options never have. */
const CLIENT_FUNCTIONS = [
  '$connect',
  'connect',
  'execute',
  'get',
  'listen',
  'on',
  'query',
  'raw',
  'request',
  'select',
  'sendCommand',
];

/** Keys for `ObjectForm.foreign` that share a remedy. */
export function foreignKeys(remedy: string, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [key, remedy]));
}

/**
 * Returns why a value cannot be the options of a client; `undefined` when it can. The text names keys
 * and kinds, and never repeats a value: any may be the password in the wrong place.
 *
 * Libraries ignore unknown keys, and connect to localhost when no key names a server. So with the
 * options of another library they would connect there without a word.
 */
export function objectFault(option: unknown, form: ObjectForm): string | undefined {
  const kind = foreignKind(option, form.library);
  if (kind !== undefined) {
    return `is ${kind}`;
  }
  const unknown = keysOf(option as object).filter((key) => !form.keys.includes(key));
  for (const key of unknown) {
    const remedy = remedyFor(key, form);
    if (remedy !== undefined) {
      return `has the key \`${key}\`, which ${form.library} does not know. Write ${remedy}`;
    }
  }
  const [first] = unknown;
  if (first !== undefined && !form.serverKeys.some((key) => valueOf(option, key) !== undefined)) {
    return `has the key \`${shownKey(first)}\`, which ${form.library} does not know, and names no server. Write ${form.serverKeys.map((key) => `\`${key}\``).join(' or ')}`;
  }
  if (unknown.length === 0 && isEmptyInstance(option as object, form)) {
    return 'is an object of a class, without any option';
  }
  for (const key of form.serverKeys) {
    const value = valueOf(option, key);
    if (value === '' || value === null) {
      return `has an empty \`${key}\`; leave it out for the default`;
    }
  }
  return undefined;
}

/**
 * Copies the options, including the getters of a class and keys that are not enumerable, such as the
 * password in the options of a pool.
 */
export function copyOptions(option: object, keys: readonly string[]): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...option };
  for (const key of keys) {
    const value = valueOf(option, key);
    if (value !== undefined && value !== null) {
      copy[key] = value;
    }
  }
  return copy;
}

function foreignKind(option: unknown, library: string): string | undefined {
  if (typeof option !== 'object' || option === null || Array.isArray(option)) {
    return kindOf(option);
  }
  // By name: where tests run in a context of their own, its class is another one there.
  if (Object.prototype.toString.call(option) === '[object URL]') {
    return 'a URL object. Give its `href`';
  }
  if (typeof valueOf(option, 'then') === 'function') {
    return 'a promise. Wait for it, in `SseModule.forRootAsync()`';
  }
  return CLIENT_FUNCTIONS.some((name) => typeof valueOf(option, name) === 'function')
    ? `a client of another package than ${library}`
    : undefined;
}

function remedyFor(key: string, { keys, foreign }: ObjectForm): string | undefined {
  const plain = plainKey(key);
  const other = foreign[plain];
  if (other !== undefined) {
    return other;
  }
  const meant = keys.find((known) => plainKey(known) === plain || isTypingError(known, key));
  return meant && `\`${meant}\``;
}

const plainKey = (key: string): string => key.toLowerCase().replace(/[-_]/g, '');

/** Whether one character is missing, wrong or too many, or two are exchanged. */
function isTypingError(known: string, key: string): boolean {
  if (known.length < 4 || Math.abs(known.length - key.length) > 1) {
    return false;
  }
  let start = 0;
  while (start < known.length && known[start] === key[start]) start++;
  const rest = known.slice(start);
  const other = key.slice(start);
  return (
    rest.slice(1) === other.slice(1) ||
    rest.slice(1) === other ||
    rest === other.slice(1) ||
    (rest.slice(2) === other.slice(2) && rest[0] === other[1] && rest[1] === other[0])
  );
}

/** The keys that have a value. */
function keysOf(option: object): string[] {
  return Object.keys(option).filter((key) => valueOf(option, key) !== undefined);
}

function isEmptyInstance(option: object, { keys }: ObjectForm): boolean {
  const prototype: unknown = Object.getPrototypeOf(option);
  // By name as well.
  const isPlain = prototype === null || valueOf(prototype, 'constructor')?.name === 'Object';
  return !isPlain && keys.every((key) => valueOf(option, key) === undefined);
}

// oxlint-disable-next-line typescript/no-explicit-any
const valueOf = (option: unknown, key: string): any =>
  (option as Record<string, unknown> | null | undefined)?.[key];

/** A key for an error's message; text that cannot be a name may be a secret. */
function shownKey(key: string): string {
  return /^[\w$.-]{1,40}$/.test(key) ? key : '…';
}
