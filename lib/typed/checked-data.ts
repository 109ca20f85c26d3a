import { parsedData } from '../channel/parsed-data.js';
import { kindOf, shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { ChannelDefinition } from './channel-definition.js';
import { textOf, type Serialize } from '../channel/value-text.js';
import { kindOfThrown, wordless } from '../channel/wordless.js';
import { SseSchemaError } from './schema-error.js';
import { schemaIssues, type SchemaIssue } from './schema-issues.js';
import { isUnchecked, type AnySchema, type StandardIssue } from './standard-schema.js';

/** The event without a type, as definitions call it; browsers do, too. */
const UNNAMED = 'message';

/** The type of an event on the wire, by its name in a definition. */
export function wireType(name: string): string | undefined {
  return name === UNNAMED ? undefined : name;
}

/**
 * Checks the data of an event by its schema.
 *
 * @param type the event's name in the definition
 * @returns what the schema makes of the data
 * @throws SseSchemaError `INVALID_EVENT` when the data does not fit; SseError `INVALID_EVENT` for a type that
 * the definition lacks, and for a schema that throws or gives no result at once. No error has anything of the data
 */
export function outputOf(definition: ChannelDefinition, type: string, data: unknown): unknown {
  const { template } = definition;
  const schema = schemaOf(definition, type);
  const faulty = (how: string, cause?: Error): SseError =>
    new SseError(
      'INVALID_EVENT',
      `The schema of the event ${shown(type)} in ${shown(template)} ${how}.`,
      cause && { cause },
    );
  let result: unknown;
  try {
    result = schema['~standard'].validate(data);
  } catch (thrown) {
    throw faulty(`threw ${kindOfThrown(thrown)}. ${TRY_IT}`, wordless(thrown));
  }
  if (typeof result !== 'object' || result === null) {
    throw faulty(`gave ${kindOf(result)} in place of a result`);
  }
  let answer: Answer;
  try {
    answer = answerIn(result, data, schema);
  } catch (thrown) {
    throw faulty(
      `gave a result that cannot be read: it threw ${kindOfThrown(thrown)}. ${TRY_IT}`,
      wordless(thrown),
    );
  }
  if ('fault' in answer) {
    throw faulty(answer.fault);
  }
  if ('issues' in answer) {
    throw new SseSchemaError(template, type, answer.issues, answer.given);
  }
  return answer.value;
}

type Answer =
  | { readonly value: unknown }
  | { readonly issues: readonly SchemaIssue[]; readonly given: readonly StandardIssue[] }
  /** What is wrong with the schema. */
  | { readonly fault: string };

/** @throws what the result's getters throw */
function answerIn(result: object, data: unknown, schema: AnySchema): Answer {
  if (isPromise(result)) {
    return { fault: PROMISE };
  }
  const { issues } = result as { readonly issues?: unknown };
  if (issues === undefined || issues === null) {
    const { value } = result as { readonly value?: unknown };
    // What an asynchronous transformation gives in valibot and arktype.
    return isPromise(value) ? { fault: PROMISE } : { value };
  }
  return Array.isArray(issues)
    ? { issues: schemaIssues(issues, data, schema), given: issues }
    : { fault: `gave ${kindOf(issues)} in place of a list of issues` };
}

function isPromise(value: unknown): boolean {
  const is =
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function';
  if (is) {
    // The rejection of a promise that nobody takes would end the process.
    Promise.resolve(value).then(undefined, () => undefined);
  }
  return is;
}

/** The way to the words of an error, which may hold data. */
const TRY_IT =
  'What it says may hold data, and is left out: call the schema by itself with such data to see it';

/** zod checks again asynchronously when a check has thrown. */
const PROMISE =
  'answered with a promise: either it is asynchronous, or its code or a getter of the data has thrown. Events of a ' +
  'channel are sent in the order of the calls, so a schema must answer at once: check what needs time ' +
  'before you send, and call the schema by itself with such data to see what it throws';

/**
 * Checks an event that another system has written as text. An object or array is what its JSON says; other text may be meant
 * as it is, or as a number, `true`, `false` or `null`.
 *
 * @returns what the schema makes of it
 * @throws as `outputOf()`
 */
function outputOfText(definition: ChannelDefinition, type: string, text: string): unknown {
  const data = parsedData(text);
  try {
    return outputOf(definition, type, data);
  } catch (error) {
    const value = data === text ? primitiveIn(text) : undefined;
    if (value === undefined) {
      throw error;
    }
    return outputOf(definition, type, value);
  }
}

/** A number, `true`, `false` or `null` that is written in a text. */
function primitiveIn(text: string): unknown {
  return /^(-?\d[\d.eE+-]*|true|false|null)$/.test(text) ? valueOf(text) : undefined;
}

function valueOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * The text of an event that another system has written, as the schema of its type outputs it.
 *
 * @param type the event's type on the wire
 * @throws SseError `INVALID_EVENT` for an event that is not of the definition; see `outputOf()`
 */
export function checkedText(
  definition: ChannelDefinition,
  type: string | undefined,
  text: string,
  serialize: Serialize | undefined,
): string {
  const name = type ?? UNNAMED;
  return isUnchecked(schemaOf(definition, name))
    ? text
    : textOf(outputOfText(definition, name, text), serialize);
}

/** @throws SseError `INVALID_EVENT` for a type that the definition lacks */
export function checkHasEvent(definition: ChannelDefinition, type: string): void {
  schemaOf(definition, type);
}

function schemaOf({ events, template }: ChannelDefinition, type: string): AnySchema {
  if (typeof type !== 'string' || !Object.hasOwn(events, type)) {
    throw new SseError(
      'INVALID_EVENT',
      `The channel ${shown(template)} has no event ${shown(type)}. It has: ` +
        `${Object.keys(events).join(', ')}. Send one of these, or add it in defineChannel().`,
    );
  }
  return events[type]!;
}
