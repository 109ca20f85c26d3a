import { checkEvent, isPosition, type EventLimits } from './event-check.js';
import { monotonicNow } from './clock.js';
import { LogEntry } from './log-entry.js';
import { reasonOf } from './reason.js';
import { resetEvent } from './reset-event.js';
import { shown } from './shown.js';
import type { HistoryEvent, HistoryPage, ResetReason, SourceEvent } from './source.js';

/** A page of history, as a reader may rely on it. */
export interface CheckedPage {
  readonly entries: readonly LogEntry[];
  readonly last: boolean;
  /** Why the events after the position cannot be shown without a gap, if so. */
  readonly reset: ResetReason | undefined;
  /** Whether the event at the position that was asked for ended its run. */
  readonly ended: boolean;
  /** The position of the event that was asked for by an id of its own. */
  readonly position: string | undefined;
}

const REASONS: Readonly<Record<ResetReason, true>> = {
  trimmed: true,
  'unknown-position': true,
  failover: true,
  'listener-gap': true,
  'slow-consumer': true,
  'skipped-event': true,
};

/** The channel whose history it is. */
export interface HistoryChannel {
  readonly name: string;
  readonly limits: EventLimits;
}

/** What is known of the source that has given a page. */
export interface PageSource {
  /** Orders two of its positions. */
  compare(a: string, b: string): number;
  /** It has done something wrong. */
  report(what: string): void;
}

/** Says that a source has answered what it must not. */
export class HistoryFault extends Error {}

/**
 * Checks what a source has answered, and turns its events into entries. What cannot be sent is
 * left out: a reset stands in its place.
 *
 * @throws HistoryFault
 */
export function checkPage(page: unknown, channel: HistoryChannel, source: PageSource): CheckedPage {
  if (typeof page !== 'object' || page === null) {
    throw new HistoryFault(`gave ${shown(page)} in place of a page`);
  }
  const { events, last, reset, ended, position } = page as Partial<HistoryPage>;
  if (reset !== undefined && reset !== null) {
    if (!Object.hasOwn(REASONS, reset)) {
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
      source.report(`gave an event at ${position} after one at ${previous}, which is left out.`);
      // Shown where it is, it would lead clients back. It may be one that they have.
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
    source.report(`gave an event at ${event.position} that is left out: ${reasonOf(error)}`);
    return resetEvent(name, 'skipped-event');
  }
}
