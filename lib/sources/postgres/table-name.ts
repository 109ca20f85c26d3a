import { shown } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { checkName, quoteName } from './identifier.js';

/** A part of a table's name: in double quotes as in SQL, or bare. */
const PART = /"((?:[^"]|"")*)"|([^".]+)/y;

export interface TableName {
  readonly schema: string | undefined;
  readonly table: string;
}

/**
 * Reads `users`, `app.users` or `"my.schema"."Users"`. Names stay as they are written, upper case
 * included; only a name with a dot or a quote needs double quotes.
 *
 * @param schema when given, the text is the bare name, whatever characters it has
 * @throws SseError `INVALID_OPTION` when it is not the name of a table.
 */
export function readTableName(text: unknown, schema?: string): TableName {
  if (schema !== undefined) {
    return checked(schema, text);
  }
  if (typeof text !== 'string') {
    throw notATable(text);
  }
  const parts: string[] = [];
  PART.lastIndex = 0;
  for (;;) {
    const match = PART.exec(text);
    if (match === null) {
      throw notATable(text);
    }
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    const end = match.index + match[0].length;
    if (end === text.length) {
      break;
    }
    if (text[end] !== '.') {
      throw notATable(text);
    }
    PART.lastIndex = end + 1;
  }
  const [first, second] = parts;
  if (first === undefined || parts.length > 2) {
    throw notATable(text);
  }
  return second === undefined ? checked(undefined, first) : checked(first, second);
}

function checked(schema: string | undefined, table: unknown): TableName {
  if (schema !== undefined) {
    checkName(schema, 'The schema');
  }
  checkName(table, 'The table');
  return { schema, table };
}

/** Writes a name for use in SQL, in the schema if there is one. */
export function qualified(schema: string | undefined, name: string): string {
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}

function notATable(text: unknown): SseError {
  return new SseError(
    'INVALID_OPTION',
    `The table ${shown(text)} is not a name such as users, app.users or "my.schema"."my table".`,
  );
}
