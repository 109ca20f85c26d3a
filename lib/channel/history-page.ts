import { checkEvent, isPosition, type EventLimits } from './event-check.js';
import { monotonicNow } from './clock.js';
import { LogEntry } from './log-entry.js';
import { reasonOf } from './reason.js';
import { isResetReason, resetEvent } from './reset-event.js';
import { shown } from './shown.js';
import type { HistoryEvent, HistoryPage, ResetReason, SourceEvent } from './source.js';

/** A page of history that was checked, so that readers can rely on it. */
export interface CheckedPage {
  readonly entries: readonly LogEntry[];
  readonly last: boolean;
  /** Why the events after the position cannot be shown without a gap, if so. */
  readonly reset: ResetReason | undefined;
  /** Whether the event at the requested position ended its run. */
  readonly ended: boolean;
  /** The position of the requested event, if the request named the publisher's own id. */
  readonly position: string | undefined;
}

export interface HistoryChannel {
  readonly name: string;
  readonly limits: EventLimits;
}

export interface PageSource {
  /** Orders two of the source's positions. */
  compare(a: string, b: string): number;
  /** Logs that the source has done something wrong. */
  report(what: string): void;
}

/** The error for a source whose answer breaks the contract of a history. */
export class HistoryFault extends Error {}

/**
 * Checks a source's answer, and turns its events into entries. A reset takes the place of each
 * event that cannot be sent.
 *
 * @throws HistoryFault
 */
export function checkPage(page: unknown, channel: HistoryChannel, source: PageSource): CheckedPage {
  if (typeof page !== 'object' || page === null) {
    throw new HistoryFault(`gave ${shown(page)} instead of a page`);
  }
  const { events, last, reset, ended, position } = page as Partial<HistoryPage>;
  if (reset !== undefined && reset !== null) {
    if (!isResetReason(reset)) {
      throw new HistoryFault(`gave a page with the reset ${shown(reset)}`);
    }
    return resetPage(reset);
  }
  if (!Array.isArray(events) || typeof last !== 'boolean') {
    throw new HistoryFault('gave a page without `events` or `last`');
  }
  if (events.length === 0 && !last) {
    throw new HistoryFault('gave a page without events that is not the last');
  }
  return {
    entries: entriesOf(events, channel, source),
    last,
    reset: undefined,
    ended: ended === true,
    position: isPosition(position) ? position : undefined,
  };
}

/** A page that says why events cannot be shown without a gap. */
export function resetPage(reset: ResetReason): CheckedPage {
  return { entries: [], last: true, reset, ended: false, position: undefined };
}

function entriesOf(
  events: readonly (HistoryEvent | null)[],
  channel: HistoryChannel,
  source: PageSource,
): readonly LogEntry[] {
  const now = monotonicNow();
  const entries: LogEntry[] = [];
  const add = (position: string, event: SourceEvent): void => {
    entries.push(new LogEntry(0, position, event, now));
  };
  let isInOrder = true;
  for (const event of events) {
    const position: unknown = event?.position;
    if (!isPosition(position)) {
      throw new HistoryFault(`gave an event with the position ${shown(position)}`);
    }
    const previous = entries.at(-1)?.position;
    const isNext = previous === undefined || source.compare(position, previous) > 0;
    if (isNext) {
      add(position, eventOrReset(event!, channel, source));
    } else if (isInOrder) {
      source.report(`gave an event at ${position} after one at ${previous}. It is left out.`);
      // Its position would lead clients back, and they may have received it already.
      add(previous, resetEvent(channel.name, 'skipped-event'));
    }
    isInOrder = isNext;
  }
  return entries;
}

function eventOrReset(
  event: HistoryEvent,
  { name, limits }: HistoryChannel,
  source: PageSource,
): SourceEvent {
  if (event.reset !== undefined) {
    return resetEvent(name, event.reset);
  }
  try {
    checkEvent(event, limits);
    return event;
  } catch (error) {
    source.report(`gave an event at ${event.position} that cannot be sent: ${reasonOf(error)}`);
    return resetEvent(name, 'skipped-event');
  }
}
