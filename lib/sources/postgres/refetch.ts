import { withDeadline } from '../../channel/deadline.js';
import type { SourceEvent } from '../../channel/source.js';
import { kindOf } from '../../channel/shown.js';
import type { ListenOptions } from './listen.options.js';

/** How long we wait for a hook, in milliseconds. Notifications wait meanwhile. */
const TIMEOUT_MS = 30_000;
/** An iterable may never end. */
const MOST_EVENTS = 10_000;

/**
 * Calls a `refetch` hook, and gives the events that it returns. The events are not checked yet, and
 * may be anything.
 *
 * @param signal ends the wait
 * @throws what the hook throws or rejects with, and Error when it returns no events or too many, or
 *   does not answer
 */
export async function refetched(
  refetch: NonNullable<ListenOptions['refetch']>,
  channel: string,
  signal: AbortSignal,
  timeout = TIMEOUT_MS,
): Promise<readonly SourceEvent[]> {
  const called = Promise.resolve(refetch(channel));
  const result: unknown = await withDeadline(called, timeout, 'It', signal);
  if (result === undefined || result === null) {
    return [];
  }
  if (typeof result !== 'object' || !(Symbol.iterator in result)) {
    throw new Error(
      `it returned ${kindOf(result)}. Return an array of events, another iterable, or nothing`,
    );
  }
  const events: SourceEvent[] = [];
  for (const event of result as Iterable<SourceEvent>) {
    if (events.length === MOST_EVENTS) {
      throw new Error(`it returned more than ${MOST_EVENTS} events`);
    }
    events.push(withoutPosition(event));
  }
  return events;
}

/** Leaves out a position: the channel numbers its events itself. */
function withoutPosition(event: SourceEvent): SourceEvent {
  if (typeof event !== 'object' || event === null) {
    return event;
  }
  const { data, type, id, retry, end } = event;
  return { data, type, id, retry, end };
}
