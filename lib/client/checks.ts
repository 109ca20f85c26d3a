/** What a value may be, in words as well, and whether it may be a secret. */
type Rule = readonly [
  isRight: (value: unknown) => boolean,
  allowed: string,
  isSecret?: boolean | undefined,
];
type Rules = Readonly<Record<string, Rule>>;

/** The longest time of a timer. After a longer one it would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;
/** How much of a text an error shows. */
const MAX_SHOWN = 60;

const isFunction = (value: unknown): boolean => typeof value === 'function';
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isOr =
  (...kinds: Rule[0][]): Rule[0] =>
  (value) =>
    kinds.some((is) => is(value));

const A_FUNCTION: Rule = [isFunction, 'a function'];

const OPTIONS: Rules = {
  headers: [isOr(isObject, isFunction), 'an object or a function', true],
  token: [isOr(isText, isFunction), 'text or a function', true],
  credentials: [
    (value) => ['omit', 'same-origin', 'include'].includes(value as string),
    '"omit", "same-origin" or "include"',
  ],
  fetch: A_FUNCTION,
  tabs: [isFunction, 'what shareTabs() returns'],
  silence: [
    (value) => typeof value === 'number' && value >= 0 && value <= MAX_TIMER_MS,
    `milliseconds, ${MAX_TIMER_MS} at most, or 0 for never`,
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
  check('The address of the client', url, [isOr(isText, isObject), 'a URL']);
  checkAll('option', options, OPTIONS);
}

/** @throws TypeError */
export function checkSubscription(of: unknown, handlers: unknown): void {
  const isDefinition = (value: unknown): boolean =>
    isFunction((value as { channel?: unknown } | undefined)?.channel);
  check('The channel', of, [isOr(isText, isDefinition), 'its name, or its definition']);
  if (!isFunction(handlers)) checkAll('handler', handlers, HANDLERS);
}

/** @throws TypeError */
export function checkListener(listener: unknown): void {
  check('The listener', listener, A_FUNCTION);
}

/** @throws TypeError */
export function checkObserver(observer: unknown): void {
  check('The observer', observer, [isOr(isObject, isFunction), 'a function, or { next() {} }']);
}

function checkAll(what: string, given: unknown, rules: Rules): void {
  check(`What has the ${what}s`, given, [isObject, 'an object']);
  for (const [name, value] of Object.entries(given as object)) {
    const names = Object.keys(rules);
    if (!names.includes(name)) {
      throw new TypeError(`There is no ${what} \`${name}\`. There are: ${names.join(', ')}.`);
    }
    if (value !== undefined) check(`The ${what} \`${name}\``, value, rules[name]!);
  }
}

function check(what: string, value: unknown, [isRight, allowed, isSecret]: Rule): void {
  if (isRight(value)) return;
  throw new TypeError(`${what} is ${isSecret ? typeof value : shown(value)}. Give ${allowed}.`);
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, MAX_SHOWN))
    : Array.isArray(value)
      ? 'an array'
      : Object(value) === value
        ? typeof value
        : String(value);
}
