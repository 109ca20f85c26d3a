import { reasonOf } from '../channel/reason.js';
import { kindOf, shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { ChannelDefinition } from './channel-definition.js';
import { SseSchemaError } from './schema-error.js';
import { schemaIssues } from './schema-issues.js';
import type { StandardResult } from './standard-schema.js';

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
 * the definition lacks, and for a schema that throws or gives no result at once
 */
export function outputOf(definition: ChannelDefinition, type: string, data: unknown): unknown {
  const { events, template } = definition;
  if (typeof type !== 'string' || !Object.hasOwn(events, type)) {
    throw new SseError(
      'INVALID_EVENT',
      `The channel ${shown(template)} has no event ${shown(type)}. It has: ` +
        `${Object.keys(events).join(', ')}. Send one of these, or add it in defineChannel().`,
    );
  }
  let result: unknown;
  try {
    result = events[type]!['~standard'].validate(data);
  } catch (cause) {
    throw faulty(template, type, `threw: ${reasonOf(cause)}`, cause);
  }
  if (typeof result !== 'object' || result === null) {
    throw faulty(template, type, `gave ${kindOf(result)} in place of a result`);
  }
  if (isThenable(result)) {
    // The rejection of a promise that nobody takes would end the process.
    result.then(undefined, () => undefined);
    throw faulty(
      template,
      type,
      'is asynchronous. Events of a channel are sent in the order of the calls, so a schema must ' +
        'answer at once: check what needs time before you send',
    );
  }
  const { issues, value } = result as StandardResult<unknown> & { readonly value?: unknown };
  if (issues) {
    throw new SseSchemaError(template, type, schemaIssues(issues, data));
  }
  return value;
}

function isThenable(value: object): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>>).then === 'function';
}

function faulty(template: string, type: string, how: string, cause?: unknown): SseError {
  return new SseError(
    'INVALID_EVENT',
    `The schema of the event ${shown(type)} in ${shown(template)} ${how}.`,
    { cause },
  );
}
