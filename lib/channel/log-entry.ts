import type { ResetReason, SourceEvent } from './source.js';
import type { SseEvent } from './sse-event.js';

let appended = 0;

/** An event in a log, or a page of history: what the source appended and where it stands. */
export class LogEntry {
  readonly position: string;
  /** The position of a client that has received it; empty for none. */
  readonly resumeAt: string;
  /** What goes on the wire as `id:`: the publisher's own id, else the position. */
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
  /** The same under the last id with labels that a reader needed it under. */
  labelledEvent: SseEvent | undefined;

  constructor(
    /** Counts the events of a log from 1. In a page of history: 0. */
    readonly seq: number,
    position: string,
    event: SourceEvent,
    /** When it was appended, on the clock of `monotonicNow()`. */
    readonly time: number,
    resumeAt = position,
    /** Why events may be missing, when it is a reset that stands behind an event. */
    readonly gap: ResetReason | undefined = undefined,
  ) {
    this.position = position;
    this.resumeAt = resumeAt;
    this.id = event.id ?? resumeAt;
    this.data = event.data;
    this.type = event.type;
    this.retry = event.retry;
    this.end = event.end === true;
    this.fields = undefined;
    this.frame = undefined;
    this.event = undefined;
    this.labelledEvent = undefined;
  }

  /** About what the entry takes in memory, in bytes. */
  get size(): number {
    return this.data.length + 128;
  }
}
