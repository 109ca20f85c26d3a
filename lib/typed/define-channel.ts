import { ChannelTemplate, type ChannelParams } from '../channel/channel-params.js';
import { checkEventType } from '../channel/event-type.js';
import { kindOf, shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { ChannelDefinition, EventSchemas } from './channel-definition.js';
import { isSchema } from './standard-schema.js';

/**
 * Defines a channel, or all channels of a template, and the types of their events. Write it once, in a
 * module that the application and its pages import: it needs neither Nest nor Node.
 *
 * @param template a channel's name, or a template of names such as `job:{id}`
 * @param events the schema of each event's data, by the event's type: any schema of the Standard Schema
 * interface, such as those of zod, valibot and arktype, or `unchecked<Data>()`. `message` is the event
 * without a type
 * @throws SseError `INVALID_CHANNEL` for a template with a lone brace, `INVALID_EVENT` for a type that no
 * event can have, `INVALID_OPTION` for what is no schema
 *
 * @example
 * ```ts
 * export const Job = defineChannel('job:{id}', {
 *   progress: z.object({ percent: z.number() }),
 *   failed: z.object({ why: z.string() }),
 * });
 * ```
 */
export function defineChannel<const Template extends string, const Schemas extends EventSchemas>(
  template: Template,
  events: Schemas,
): ChannelDefinition<Template, Schemas> {
  if (typeof template !== 'string' || template === '') {
    throw new SseError(
      'INVALID_CHANNEL',
      `defineChannel() is given ${template === '' ? 'an empty name' : shown(template)}. ` +
        'Give a name, or a template such as "job:{id}".',
    );
  }
  const names = new ChannelTemplate(template);
  checkEvents(template, events);
  return Object.freeze({
    template,
    events: Object.freeze({ ...events }),
    channel: (params: Readonly<Record<string, unknown>> = {}) => names.nameOf(params),
    paramsOf: (channel: string) => names.paramsOf(channel) as ChannelParams<Template> | undefined,
  });
}

function checkEvents(template: string, events: unknown): void {
  const of = `defineChannel(${shown(template)}): `;
  if (typeof events !== 'object' || events === null || Object.keys(events).length === 0) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}\`events\` is ${kindOf(events)} without schemas. Give an object with the schema of each ` +
        'event by its type, such as { progress: schema }.',
    );
  }
  for (const [type, schema] of Object.entries(events)) {
    checkEventType(type);
    if (!isSchema(schema)) {
      throw new SseError(
        'INVALID_OPTION',
        `${of}the schema of ${shown(type)} is ${kindOf(schema)}. Give one of the Standard Schema ` +
          'interface, of zod, valibot or arktype for instance, or unchecked<Data>().',
      );
    }
  }
}

export function isDefinition(value: unknown): value is ChannelDefinition {
  const { template, events, channel } = (value ?? {}) as Partial<ChannelDefinition>;
  return (
    typeof template === 'string' &&
    typeof events === 'object' &&
    events !== null &&
    typeof channel === 'function'
  );
}

/**
 * Refuses what is no definition.
 * @param of whose argument it is, with a colon, such as `to(): `
 * @throws SseError `INVALID_OPTION`
 */
export function checkDefinition(value: unknown, of: string): asserts value is ChannelDefinition {
  if (!isDefinition(value)) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}the channel is ${shown(value)}. Give what defineChannel() returned.`,
    );
  }
}
