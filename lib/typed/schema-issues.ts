import { shown } from '../channel/shown.js';
import type { StandardIssue } from './standard-schema.js';

/** Why data does not fit its schema. */
export interface SchemaIssue {
  /** Where, such as `items[2].price`; empty for the data as a whole. */
  readonly path: string;
  /** What the schema says of it, with `…` in place of values. */
  readonly message: string;
}

/** The most issues of one error, and the most characters of one message. */
const MOST_ISSUES = 50;
const MOST_CHARACTERS = 200;
/** The most values of which a message is freed; data with more has a general message. */
const MOST_VALUES = 1_000;
const GENERAL = 'does not fit';

/** Issues as an error may tell them: libraries repeat the values, and values may be secrets. */
export function schemaIssues(issues: readonly StandardIssue[], data: unknown): SchemaIssue[] {
  const values = valuesIn(data);
  return issues.slice(0, MOST_ISSUES).map(({ message, path }) => ({
    path: pathText(path ?? []),
    message: values ? withoutValues(String(message), values) : GENERAL,
  }));
}

function pathText(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  let text = '';
  for (const segment of path) {
    const key = typeof segment === 'object' ? segment.key : segment;
    if (typeof key === 'string' && /^[\p{L}_$][\p{L}\p{N}_$]{0,79}$/u.test(key)) {
      text += text === '' ? key : `.${key}`;
    } else {
      text += `[${typeof key === 'symbol' ? String(key) : shown(key)}]`;
    }
  }
  return text;
}

/** Words by which libraries name types; nobody's secret. */
const TYPE_WORDS: ReadonlySet<string> = new Set(
  (
    'string number bigint boolean object array date null undefined true false NaN ' +
    'String Number Boolean Object Array Date'
  ).split(' '),
);

/** All texts and numbers in data, the longest first; `undefined` when there are too many. */
function valuesIn(data: unknown): string[] | undefined {
  const texts = new Set<string>();
  const seen = new Set<object>();
  const rest = [data];
  for (let value = rest.pop(); value !== undefined || rest.length > 0; value = rest.pop()) {
    if (typeof value === 'object' && value !== null) {
      if (!seen.has(value)) {
        seen.add(value);
        const content = value instanceof Date ? datesOf(value) : contentOf(value);
        if (seen.size + texts.size + rest.length + content.length > MOST_VALUES) {
          return undefined;
        }
        rest.push(...content);
      }
    } else if (['string', 'number', 'bigint'].includes(typeof value)) {
      texts.add(String(value));
    }
  }
  return [...texts]
    .filter((text) => text !== '' && !TYPE_WORDS.has(text))
    .sort((a, b) => b.length - a.length);
}

function contentOf(value: object): unknown[] {
  try {
    return value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  } catch {
    // A getter of the application's.
    return [];
  }
}

function datesOf(date: Date): string[] {
  return Number.isNaN(date.getTime()) ? [] : [String(date), date.toISOString()];
}

function withoutValues(message: string, values: readonly string[]): string {
  let text = message;
  for (const value of values) {
    // Libraries write a text as it is, or as JSON does.
    for (const form of new Set([value, JSON.stringify(value).slice(1, -1)])) {
      text = form.length > 80 ? text.replaceAll(form, '…') : text.replace(wordOf(form), '…');
    }
  }
  // The form of arktype, which writes objects in its own way.
  text = text.replace(/ \(was (?!(an? \w+|missing|undefined|null|…|"…")\)).*\)/s, '');
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

/** A text, but not as a part of a longer word or number. */
function wordOf(text: string): RegExp {
  const literal = text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])`, 'gu');
}
