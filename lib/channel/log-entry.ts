import type { ResetReason, SourceEvent } from './source.js';
import type { SseEvent } from './sse-event.js';

let appended = 0;

/** An event in a log or in a page of history, with its position. */
export class LogEntry {
  readonly position: string;
  /** The position of a client that has received the event; empty for none. */
  readonly resumeAt: string;
  /** The event id on the wire: the publisher's own id, else `resumeAt`. */
  readonly id: string;
  readonly data: string;
  readonly type: string | undefined;
  readonly retry: number | undefined;
  readonly end: boolean;
  /** Orders the entries of all logs of this process by arrival. */
  readonly arrival = ++appended;
  /** The lines of the event's frame before its id; set by the first reader that needs them. */
  fields: string | undefined;
  /** The whole frame; set by the first reader that needs it. */
  frame: string | undefined;
  /** The event as Observables emit it; set by the first reader that needs it. */
  event: SseEvent | undefined;
  /** `event` under a composite id: the last one that a reader needed. */
  labelledEvent: SseEvent | undefined;

  constructor(
    /** Counts the events of a log from 1. In a page of history: 0. */
    readonly seq: number,
    position: string,
    event: SourceEvent,
    /** When the event was appended, on the clock of `monotonicNow()`. */
    readonly time: number,
    resumeAt = position,
    /** Why events may be missing, if this is a reset that stands after an event. */
    readonly gap: ResetReason | undefined = undefined,
  ) {
    this.position = position;
    this.resumeAt = resumeAt;
    this.id = event.id ?? resumeAt;
    this.data = event.data;
    this.type = event.type;
    this.retry = event.retry;
    this.end = event.end === true;
  }

  /** The approximate size of the entry in memory, in bytes. */
  get size(): number {
    return this.data.length + 128;
  }
}
