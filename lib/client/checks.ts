/** What a value may be: the types, or what tells it; and in words. */
type Rule = readonly [isRight: (value: unknown, type: string) => boolean, allowed: string];
type Rules = Readonly<Record<string, Rule>>;

/** The longest time of a timer. After a longer one it would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;
/** How much of a text an error shows. */
const MAX_SHOWN = 60;

const isFunction = (_: unknown, type: string): boolean => type === 'function';
const isText = (value: unknown, type: string): boolean => type === 'string' && value !== '';
const isObject = (value: unknown, type: string): boolean =>
  type === 'object' && !!value && !Array.isArray(value);
const or =
  (one: Rule[0], other: Rule[0]): Rule[0] =>
  (...args) =>
    one(...args) || other(...args);

const A_FUNCTION: Rule = [isFunction, 'a function'];
/** Nobody may see their values. */
const SECRETS = new Set(['headers', 'token']);

const OPTIONS: Rules = {
  headers: [or(isObject, isFunction), 'an object or a function'],
  token: [or(isText, isFunction), 'text or a function'],
  credentials: [
    (value) => ['omit', 'same-origin', 'include'].includes(value as string),
    '"omit", "same-origin" or "include"',
  ],
  fetch: A_FUNCTION,
  tabs: [isFunction, 'shareTabs()'],
  silence: [
    (value, type) =>
      type === 'number' && (value as number) >= 0 && (value as number) <= MAX_TIMER_MS,
    `0 to ${MAX_TIMER_MS} ms`,
  ],
};

const HANDLERS: Rules = {
  from: [isText, 'a position or "earliest", or leave it out'],
  onEvent: A_FUNCTION,
  onReset: A_FUNCTION,
  onOther: A_FUNCTION,
  onOpen: A_FUNCTION,
  onDenied: A_FUNCTION,
  onEnd: A_FUNCTION,
  onError: A_FUNCTION,
};

/** @throws TypeError */
export function checkClient(url: unknown, options: unknown): void {
  check('address', url, [or(isText, isObject), 'a URL']);
  checkAll('options', options, OPTIONS);
}

/** @throws TypeError */
export function checkSubscription(of: unknown, handlers: unknown): void {
  const isDefinition = (value: unknown): boolean =>
    !!(value as { channel?: unknown } | undefined)?.channel;
  check('channel', of, [or(isText, isDefinition), 'its name or definition']);
  if (typeof handlers !== 'function') checkAll('handlers', handlers, HANDLERS);
}

/** @throws TypeError */
export function checkListener(listener: unknown): void {
  check('listener', listener, A_FUNCTION);
}

/** @throws TypeError */
export function checkObserver(observer: unknown): void {
  check('observer', observer, [or(isObject, isFunction), 'a function or { next() {} }']);
}

function checkAll(what: string, given: unknown, rules: Rules): void {
  check(what, given, [isObject, 'an object']);
  const names = Object.keys(rules);
  for (const [name, value] of Object.entries(given as object)) {
    if (!names.includes(name)) {
      throw new TypeError(`There is no \`${name}\` in ${what}, but ${names.join(', ')}.`);
    }
    if (value !== undefined) check(name, value, rules[name]!);
  }
}

function check(what: string, value: unknown, [isRight, allowed]: Rule): void {
  const type = typeof value;
  if (isRight(value, type)) return;
  const isShown = !SECRETS.has(what) && (type === 'string' || Object(value) !== value);
  const shown = type === 'string' ? JSON.stringify((value as string).slice(0, MAX_SHOWN)) : value;
  throw new TypeError(`\`${what}\` is ${isShown ? String(shown) : type}. Give ${allowed}.`);
}
