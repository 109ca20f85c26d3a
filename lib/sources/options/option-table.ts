import { isPromise } from 'node:util/types';
import { shownOption } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';

/** One option: the values that users may give, and the complete value. */
export interface Option<Given, Complete = Given> {
  /**
   * Checks a value and completes it: `undefined` becomes the default.
   *
   * @param path the option's name, with those of its groups before it
   * @param of whose option it is, with a colon, such as `send(): `; empty for the module's
   * @throws SseError `INVALID_OPTION`
   */
  readonly read: (value: unknown, path: string, of: string) => Complete;
  /** The unit of the value. */
  readonly unit?: string;
  /** Never set. Makes the compiler check that the table accepts every value of the interface. */
  readonly given?: (value: Given) => void;
}

/** An entry for each option of an interface, no more and no less. */
export type TableOf<Options> = {
  readonly [Name in keyof Options]-?: Option<Exclude<Options[Name], undefined>, unknown>;
};

/** The options of a table with every default in place. */
export type Settings<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<never, infer Complete>
    ? Complete
    : never;
};

export type AnyTable = Readonly<Record<string, Option<never, unknown>>>;

/**
 * Checks all options of a table, and completes them with their defaults.
 *
 * @param path the name of the group; empty for options without one
 * @throws SseError `INVALID_OPTION`
 */
export function readOptions<Table extends AnyTable>(
  table: Table,
  options: unknown,
  path = '',
  of = '',
): Settings<Table> {
  checkNames(table, options, path, of);
  const prefix = path && `${path}.`;
  const settings = Object.entries(table).map(([name, option]) => [
    name,
    option.read((options as Record<string, unknown>)[name], prefix + name, of),
  ]);
  return Object.fromEntries(settings) as Settings<Table>;
}

/**
 * Refuses unknown options. Otherwise a misspelt option would silently leave its default in force.
 * @throws SseError `INVALID_OPTION`
 */
export function checkNames(table: AnyTable, options: unknown, path = '', of = ''): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption(path || 'options', options, 'an object', of);
  }
  if (isPromise(options)) {
    // It has no properties, so that all options would silently be the defaults.
    throw new SseError(
      'INVALID_OPTION',
      `${of}\`${path || 'options'}\` is a promise; it must be an object. Await it; \`useFactory\` of forRootAsync() may be async.`,
    );
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `${of ? `${of}there` : 'There'} is no option \`${path && `${path}.`}${unknown}\`. ` +
        `There are: ${Object.keys(table).join(', ')}.`,
    );
  }
}

/** The options of a table among those of several, in the table's order, unchecked. */
export function pick<Table extends AnyTable, Options extends { [Name in keyof Table]?: unknown }>(
  table: Table,
  options: Options,
): Pick<Options, keyof Table> {
  const names: (keyof Table)[] = Object.keys(table).filter((name) => options[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, options[name]])) as Pick<
    Options,
    keyof Table
  >;
}

/** The error for a value that an option cannot have. */
export function invalidOption(path: string, value: unknown, allowed: string, of = ''): SseError {
  return new SseError(
    'INVALID_OPTION',
    `${of}\`${path}\` is ${shownOption(value)}; it must be ${allowed}.`,
  );
}
