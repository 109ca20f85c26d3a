import { labelOf } from './composite-id.js';
import { checkEvent, type EventLimits } from './event-check.js';
import { EventLog, type RetainLimits } from './event-log.js';
import type { LogEntry } from './log-entry.js';
import { nextAfter } from './start-position.js';
import { RESET_TYPE } from './sse-event.js';
import type { ChannelFeed, ChannelSink, ResetReason, SourceEvent } from './source.js';

/** Reads a channel, from its own cursor, each time the channel has something new. */
export interface Reader {
  /** Reads everything from the cursor to the head, as far as the client takes it. */
  pull(): void;
}

/** A place in the log from which somebody reads on. */
export interface Place {
  /** The number of the last event read. */
  readonly seq: number;
}

/** How much a channel keeps, and what it lets in. */
export interface ChannelLimits extends RetainLimits, EventLimits {}

/** A named log that a source appends to and readers read. */
export class Channel implements ChannelSink {
  readonly log: EventLog;
  readonly readers = new Set<Reader>();
  /** Where the cursors stand that have not been closed. */
  readonly places = new Set<Place>();
  private source: ChannelFeed | undefined;
  private ownLabel: string | undefined;
  private isLive = false;
  private hadReaderBeforeLive = false;
  private readonly waiting = new Set<() => void>();

  constructor(
    readonly name: string,
    readonly limits: ChannelLimits,
    /** Called after each append; schedules the readers. */
    private readonly onAppend: (channel: Channel) => void,
  ) {
    this.log = new EventLog(limits, () => this.slowest());
  }

  /** Connects the channel to the source that feeds it. */
  feedFrom(feed: ChannelFeed): void {
    this.source = feed;
  }

  /** What stands for its name in event ids. */
  get label(): string {
    return (this.ownLabel ??= labelOf(this.name));
  }

  get feed(): ChannelFeed | undefined {
    return this.source;
  }

  /** Whether the source is listening. */
  get ready(): boolean {
    return this.isLive;
  }

  addReader(reader: Reader): void {
    this.hadReaderBeforeLive ||= !this.isLive;
    this.readers.add(reader);
  }

  removeReader(reader: Reader): void {
    this.readers.delete(reader);
  }

  /** Resolves once the source is listening, or after `timeout` milliseconds. */
  whenReady(timeout: number): Promise<void> {
    if (this.isLive) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeout);
      this.waiting.add(done);
    });
  }

  live(position?: string): void {
    if (this.isLive) {
      return;
    }
    this.isLive = true;
    if (position !== undefined) {
      this.log.startAfter(position);
    }
    if (this.hadReaderBeforeLive && this.readers.size > 0) {
      // They were let in while nobody listened: what happened since is unknown.
      this.reset('listener-gap', position);
    }
    this.waiting.forEach((done) => done());
  }

  append(event: SourceEvent): string {
    checkEvent(event, this.limits);
    const entry = this.log.append(event);
    this.onAppend(this);
    return entry.id;
  }

  reset(reason: ResetReason, position?: string): void {
    this.appendReset(reason, position);
    if (position !== undefined && reason !== 'skipped-event') {
      this.log.restart();
    }
    this.onAppend(this);
  }

  private slowest(): number {
    let slowest = this.log.head;
    for (const { seq } of this.places) {
      slowest = Math.min(slowest, seq);
    }
    return slowest;
  }

  private appendReset(reason: ResetReason, position: string | undefined): LogEntry {
    // Whether the event at the source's position ended its run, clients have not received it.
    const isBehind = position !== undefined && reason !== 'skipped-event';
    return this.log.append(
      { type: RESET_TYPE, data: resetData(this.name, reason), position },
      isBehind ? nextAfter(position) : undefined,
    );
  }
}

/** The data of a `sse:reset` event. */
export function resetData(channel: string, reason: ResetReason): string {
  return JSON.stringify({ channel, reason });
}
