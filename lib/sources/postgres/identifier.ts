import { shown } from '../../channel/shown.js';
import { SseError, type SseErrorCode } from '../../channel/sse-error.js';

/** Postgres keeps this many bytes of a name, and silently drops the rest. */
const MAX_NAME_BYTES = 63;

/**
 * Checks a name that becomes an identifier: a table, a column, a channel.
 *
 * @throws SseError with the given code when Postgres could not keep it as it is.
 */
export function checkName(
  name: unknown,
  what: string,
  code: SseErrorCode = 'INVALID_OPTION',
): asserts name is string {
  if (typeof name !== 'string' || name.length === 0) {
    throw new SseError(
      code,
      `${what} is ${name === '' ? 'empty' : shown(name)}. Give a name of 1 to ${MAX_NAME_BYTES} bytes.`,
    );
  }
  if (name.includes('\0') || /\p{Surrogate}/u.test(name)) {
    throw new SseError(
      code,
      `${what} ${shown(name)} has a character that Postgres cannot store. Leave out NUL and unpaired surrogates.`,
    );
  }
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_NAME_BYTES) {
    throw new SseError(
      code,
      `${what} ${shown(name)} has ${bytes} bytes. Postgres keeps ${MAX_NAME_BYTES}; choose a shorter name.`,
    );
  }
}

/** The columns that the server adds to each table. A row as JSON lacks them. */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set([
  'tableoid',
  'xmin',
  'cmin',
  'xmax',
  'cmax',
  'ctid',
]);

/**
 * Checks the columns that a trigger names.
 *
 * @throws SseError `INVALID_OPTION` for one that no table can have, or that is there twice
 */
export function checkColumns(names: readonly string[], what: string): void {
  for (const [place, name] of names.entries()) {
    checkName(name, what);
    if (SYSTEM_COLUMNS.has(name)) {
      throw new SseError(
        'INVALID_OPTION',
        `${what} ${shown(name)} is one of the server's own, which no row as JSON has. Give a column of the table.`,
      );
    }
    if (names.indexOf(name) !== place) {
      throw new SseError(
        'INVALID_OPTION',
        `${what} ${shown(name)} is given twice. Give each column once.`,
      );
    }
  }
}

/**
 * Checks the name of a notification channel: LISTEN truncates a long name, and then hears nothing
 * of what is sent to the full one.
 *
 * @throws SseError `INVALID_CHANNEL`.
 */
export function checkChannel(channel: unknown): asserts channel is string {
  checkName(channel, 'The Postgres channel', 'INVALID_CHANNEL');
}

/** Quotes an identifier; unquoted, Postgres would fold it to lower case. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Quotes a string constant, whatever `standard_conforming_strings` is. A question mark is escaped,
 * as `raw()` of Knex would take it for a placeholder.
 */
export function quoteText(text: string): string {
  const doubled = text.replaceAll("'", "''").replaceAll('\\', '\\\\');
  return /[\\?]/.test(text) ? `E'${doubled.replaceAll('?', '\\x3f')}'` : `'${doubled}'`;
}

/**
 * Quotes the body of a function or of `do`, without changing it. The body does not hold the tag:
 * otherwise a name in the body could end it, and run as SQL.
 *
 * @param body must end with a line break; otherwise the end of a name could look like the tag
 */
export function quoteBody(body: string): string {
  let tag = '$sse$';
  for (let number = 1; body.includes(tag); number++) {
    tag = `$sse${number}$`;
  }
  return `${tag}${body}${tag}`;
}
