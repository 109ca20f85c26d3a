import type { LogEntry } from '../channel/log-entry.js';
import type { ShownEvent } from './contract.js';
import { dateOf } from './instance-numbers.js';

/** The most characters of an event's data that the page shows. */
const MAX_DATA = 2_000;

/** The sizes of long events: a megabyte takes a millisecond to measure, and each page asks for the same events. */
const sizes = new WeakMap<LogEntry, number>();

export function shownEvent(entry: LogEntry, showData: boolean): ShownEvent {
  const { seq, id, type, data, time } = entry;
  return {
    place: seq,
    id,
    ...(type !== undefined && { type }),
    size: sizeOf(entry),
    at: dateOf(time),
    ...(showData && beginningOf(data)),
  };
}

function sizeOf(entry: LogEntry): number {
  const { data } = entry;
  if (data.length <= MAX_DATA) {
    return Buffer.byteLength(data);
  }
  const size = sizes.get(entry) ?? Buffer.byteLength(data);
  sizes.set(entry, size);
  return size;
}

function beginningOf(data: string): Pick<ShownEvent, 'data' | 'cut'> {
  if (data.length <= MAX_DATA) {
    return { data };
  }
  // Without half of a character at its end.
  const end = data.codePointAt(MAX_DATA - 1)! > 0xff_ff ? MAX_DATA - 1 : MAX_DATA;
  return { data: data.slice(0, end), cut: true };
}
