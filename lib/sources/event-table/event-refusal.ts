import { refuseAsPosition } from '../../channel/event-check.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { codeOf, failureText } from '../postgres/postgres-error.js';
import { lacksPartition } from './event-table-error.js';

/**
 * Refuses an event that clients could receive and the table cannot store.
 *
 * @throws SseError `INVALID_EVENT`
 */
export function checkForTable({ data, id }: OutgoingEvent): void {
  if (data.includes('\0')) {
    throw new SseError(
      'INVALID_EVENT',
      "The event's data has NUL, which Postgres cannot store. Leave it out.",
    );
  }
  // More than what `parsePosition()` reads: the functions of the table refuse these forms, too.
  if (id !== undefined && /^\d+\.\d+$/.test(id)) {
    refuseAsPosition(id, 'of the event table');
  }
}

/** Whether the server refused the content of an event: a wrong value, or one that breaks a constraint. */
export function isOfEvent(error: unknown): boolean {
  const code = codeOf(error);
  // 2200H: there are no ids left.
  return (
    (code?.startsWith('22') === true && code !== '2200H') ||
    (code === '23514' && !lacksPartition(error))
  );
}

export function refusedEvent(error: unknown): SseError {
  return new SseError(
    'INVALID_EVENT',
    `The database cannot hold the event: ${failureText(error)}. Send other characters, or use a database with the encoding UTF8.`,
    { cause: error },
  );
}
