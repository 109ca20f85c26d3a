import type { LogEntry } from '../channel/log-entry.js';
import { parsedData } from '../channel/parsed-data.js';
import type { SseEvent } from '../channel/sse-event.js';

/** The log entries behind the events that Observables emit, while they are unchanged. */
const entries = new WeakMap<object, LogEntry>();

/** The text that the data of emitted events was parsed from. */
const texts = new WeakMap<object, string>();

/**
 * The event of an entry as Observables emit it. Subscribers whose events have the same id share it.
 *
 * @param id a composite id. Default: the entry's own id
 */
export function eventOf(channel: string, entry: LogEntry, id?: string): SseEvent {
  if (!entry.event) {
    entry.event = {
      channel,
      id: entry.id,
      ...(entry.type !== undefined && { type: entry.type }),
      data: parsedData(entry.data),
      ...(entry.retry !== undefined && { retry: entry.retry }),
    };
    entries.set(entry.event, entry);
    const { data } = entry.event;
    if (typeof data === 'object') {
      texts.set(data, entry.data);
    }
  }
  if (id === undefined) {
    return entry.event;
  }
  if (entry.labelledEvent?.id !== id) {
    entry.labelledEvent = { ...entry.event, id };
    entries.set(entry.labelledEvent, entry);
  }
  return entry.labelledEvent;
}

/** The entry of an event that `eventOf` has made; `undefined` for any other object. */
export function entryOf(event: object): LogEntry | undefined {
  return entries.get(event);
}

/** The text that the data of an emitted event was parsed from; `undefined` for other values. */
export function parsedFrom(data: object): string | undefined {
  return texts.get(data);
}
