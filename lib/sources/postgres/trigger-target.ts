import { createHash } from 'node:crypto';
import { SseError } from '../../channel/sse-error.js';
import { passedOn } from '../options/option-kinds.js';
import type { TableOf } from '../options/option-table.js';

/** The operations that a trigger can report. */
export const TRIGGER_EVENTS = ['insert', 'update', 'delete'] as const;

/** An operation on a row, and the name of the event that it becomes. */
export type TriggerEvent = (typeof TRIGGER_EVENTS)[number];

/** The options that each kind of trigger has. */
export interface TriggerTarget {
  /**
   * The table, as `users`, `app.users` or `"my.schema"."my table"`; upper case is kept. With
   * `schema` set it is the bare name, whatever characters it has.
   */
  readonly table: string;
  /** The operations to tell of. Default: all of `insert`, `update`, `delete`. */
  readonly events?: readonly TriggerEvent[] | undefined;
}

export const TRIGGER_TARGET = {
  table: passedOn<string>(),
  events: passedOn<readonly TriggerEvent[]>(),
} satisfies TableOf<TriggerTarget>;

/**
 * Checks the operations, and puts them in order.
 *
 * @throws SseError `INVALID_OPTION` for one that is unknown
 */
export function triggerEvents(
  events: readonly TriggerEvent[] = TRIGGER_EVENTS,
): readonly TriggerEvent[] {
  const unknown = events.find((event) => !TRIGGER_EVENTS.includes(event));
  if (unknown !== undefined || events.length === 0) {
    throw new SseError(
      'INVALID_OPTION',
      `The events are ${JSON.stringify(events)}. Give one or more of ${TRIGGER_EVENTS.join(', ')}.`,
    );
  }
  return TRIGGER_EVENTS.filter((event) => events.includes(event));
}

/**
 * Names a trigger after its channel, so that one table can feed several channels. A name that is
 * too long for Postgres, or has a placeholder of Knex, has a digest in place of the channel.
 */
export function triggerName(prefix: string, channel: string, end = ''): string {
  const name = `${prefix}${channel}${end}`;
  return Buffer.byteLength(name) <= 63 && !name.includes('?')
    ? name
    : `${prefix}${createHash('sha256').update(channel).digest('hex').slice(0, 32)}${end}`;
}
