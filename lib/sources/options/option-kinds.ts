import { MAX_TIMER_MS } from '../../channel/clock.js';
import { isEventType } from '../../channel/event-type.js';
import {
  invalidOption,
  readOptions,
  type AnyTable,
  type Option,
  type Settings,
} from './option-table.js';

/** Any option: a condition, the condition in words, and the default. */
export function option<Value, const Default>(
  isAllowed: (value: unknown) => value is Value,
  allowed: string,
  byDefault: Default,
  unit?: string,
): Option<Value, Value | Default> {
  return {
    read: (value, path, of) => {
      if (value === undefined) {
        return byDefault;
      }
      if (!isAllowed(value)) {
        throw invalidOption(path, value, allowed, of);
      }
      return value;
    },
    ...(unit !== undefined && { unit }),
  };
}

/** A whole number from `from` to `to`; without `to`, `Infinity` lifts the limit. */
export function whole<Default extends number | undefined>(
  byDefault: Default,
  { unit, from = 1, to = Infinity }: { unit: string; from?: number; to?: number },
): Option<number, number | Default> {
  return option(
    (value): value is number =>
      (Number.isSafeInteger(value) || (value === Infinity && to === Infinity)) &&
      Number(value) >= from &&
      Number(value) <= to,
    `a whole number${unit === 'ms' ? ' of milliseconds' : ''} ` +
      (to === Infinity ? `of at least ${from}, or Infinity` : `from ${from} to ${to}`),
    byDefault,
    unit,
  );
}

/** A time that a timer waits for. */
export function duration<Default extends number | undefined>(
  byDefault: Default,
  from = 0,
  to = MAX_TIMER_MS,
): Option<number, number | Default> {
  return whole(byDefault, { unit: 'ms', from, to });
}

/** True or false; no other value counts as one of them. */
export function flag(byDefault: boolean): Option<boolean> {
  return option((value) => typeof value === 'boolean', 'true or false', byDefault);
}

/** One of some words; the first is the default. */
export function oneOf<const Word extends string>(first: Word, ...others: Word[]): Option<Word> {
  const words = [first, ...others];
  return option(
    (value): value is Word => words.includes(value as Word),
    words.map((word) => `'${word}'`).join(' or '),
    first,
  );
}

/** A function; `parameter` names its argument. */
// oxlint-disable-next-line typescript/no-explicit-any
export function callback<Callback extends (...args: any[]) => unknown>(
  parameter: string,
): Option<Callback, Callback | undefined> {
  return option(
    (value): value is Callback => typeof value === 'function',
    `a function of ${parameter}`,
    undefined,
  );
}

/** The value that ends a run. */
export function doneSignal<Default>(
  byDefault: Default,
): Option<string | false, string | false | Default> {
  return option(
    (value): value is string | false =>
      value === false || (typeof value === 'string' && value !== ''),
    'a string that is not empty, or false',
    byDefault,
  );
}

const EVENT_TYPE = 'a string without CR, LF and NUL that does not begin with "sse:"';

/** The name of events. */
export const eventType = option(isEventType, EVENT_TYPE, undefined);

/** The name of events, or a function that finds it. */
// oxlint-disable-next-line typescript/no-explicit-any
export function eventTypeOr<Callback extends (...args: any[]) => unknown>(parameter: string) {
  return option(
    (value): value is string | Callback => typeof value === 'function' || isEventType(value),
    `${EVENT_TYPE}, or a function of ${parameter}`,
    undefined,
  );
}

/** An option that is checked where it is used. */
export function passedOn<Value>(): Option<Value, Value | undefined> {
  return option((_value): _value is Value => true, '', undefined);
}

/** A group of options with a table of its own. */
export function group<Table extends AnyTable>(
  table: Table,
): Option<Given<Table>, Settings<Table>> & { readonly table: Table } {
  return { table, read: (value = {}, path, of) => readOptions(table, value, path, of) };
}

type Given<Table> = {
  readonly [Name in keyof Table]?:
    (Table[Name] extends Option<infer Value, unknown> ? Value : never) | undefined;
};
