import { atOnce } from './at-once.js';
import { labelOf } from './composite-id.js';
import { monotonicNow } from './clock.js';
import { CheckedHistory, UNSHARED, type SourceServices } from './checked-history.js';
import { checkEvent, isPosition, isSmall, refuseAsPosition } from './event-check.js';
import { EventLog } from './event-log.js';
import type { ChannelLimits } from './channel-limits.js';
import { slowestOf, type Place, type Reader } from './reader.js';
import { reasonOf } from './reason.js';
import { resetEvent } from './reset-event.js';
import { shown } from './shown.js';
import { SseError } from './sse-error.js';
import type { ChannelFeed, OrderedSink, ResetReason, SourceEvent } from './source.js';
import { tallyOf } from './tally.js';

/** A named log that a source appends to and readers read. */
export class Channel implements OrderedSink {
  readonly log: EventLog;
  readonly readers = new Set<Reader>();
  /** The places of all open cursors. */
  readonly places = new Set<Place>();
  private ownLabel: string | undefined;
  private isLive = false;
  private hadReaderBeforeLive = false;
  private isClosed = false;
  private readonly waiting = new Set<() => void>();
  /** The source's side of the channel. */
  feed: ChannelFeed | undefined;
  /** The source's earlier events, if it can read them again. */
  history: CheckedHistory | undefined;
  /** The number of the log's last reset; 0 before the first. */
  lastReset = 0;

  constructor(
    readonly name: string,
    readonly limits: ChannelLimits,
    /** Called after each append, with how many events it were, else one; schedules the readers. */
    private readonly onAppend: (channel: Channel, count?: number) => void,
    private readonly services: SourceServices = UNSHARED,
  ) {
    this.log = new EventLog(limits, () => slowestOf(this.places, this.log.head));
  }

  /** Connects the channel to the source that feeds it. */
  feedFrom(feed: ChannelFeed): void {
    this.feed = feed;
    this.history = feed.history && new CheckedHistory(feed.history, this, this.services);
  }

  append(event: SourceEvent): string {
    checkEvent(event, this.limits);
    if (this.history && event.position === undefined) {
      throw new SseError(
        'INVALID_EVENT',
        `An event of the channel ${JSON.stringify(this.name)} has no \`position\`, and its source ` +
          'has a history. Give every event its position: otherwise clients could not resume after it.',
      );
    }
    if (this.isLate('append()')) {
      return event.id ?? event.position ?? '';
    }
    if (event.id !== undefined && this.log.numbers(event.id)) {
      refuseAsPosition(event.id, 'of this channel');
    }
    if (this.isBehindHead(event.position)) {
      throw new SseError(
        'INVALID_EVENT',
        `An event of the channel ${JSON.stringify(this.name)} has the position ${shown(event.position)}, which is ` +
          `not after ${shown(this.log.headPosition)}, the last one. Append each event once, and call ` +
          "reset('failover', position) when the history has begun anew: clients would receive events again.",
      );
    }
    const entry = this.log.append(event);
    this.count(event.data);
    this.onAppend(this);
    return entry.id;
  }

  appendOrdered(
    events: readonly SourceEvent[],
    now = monotonicNow(),
    prefix?: string,
    after = 0,
  ): number {
    let count = 0;
    for (const event of this.isClosed ? [] : events) {
      if (!isSmall(event.data, this.limits.eventSize)) {
        break;
      }
      count++;
      const position = prefix === undefined ? event.position : prefix + (after + count);
      this.log.append(event, undefined, now, position);
      this.count(event.data);
    }
    this.onAppend(this, count);
    return count;
  }

  live(position?: string): void {
    if (this.isLate('live()')) {
      return;
    }
    const start = this.checked(position, 'live()');
    if (this.isLive) {
      this.liveAgain(start);
      return;
    }
    this.isLive = true;
    if (start !== undefined) {
      this.log.startAfter(start);
    }
    if (this.hadReaderBeforeLive && this.readers.size > 0) {
      // These readers came before the source listened, and may have missed events.
      this.reset('listener-gap', start);
    }
    this.waiting.forEach((done) => done());
  }

  reset(reason: ResetReason, position?: string, isInPlace = reason === 'skipped-event'): void {
    if (this.isLate('reset()')) {
      return;
    }
    const checked = this.checked(position, 'reset()');
    // A reset at an earlier position would lead clients back there.
    const given = isInPlace && this.isBehindHead(checked) ? undefined : checked;
    // With a history, a reset needs one of the source's positions: only those can be ordered.
    const at = given ?? (this.history && this.log.headPosition);
    const isGap = at !== undefined && !(isInPlace && given !== undefined);
    const event = { ...resetEvent(this.name, reason), position: at };
    tallyOf(this.services.log).noteReset('channel', reason);
    this.lastReset = this.log.append(event, isGap ? reason : undefined).seq;
    if (isGap && given !== undefined) {
      this.log.restart();
    }
    this.onAppend(this);
  }

  /** Ignores later calls of the source, whose feed has been closed. */
  close(): void {
    this.isClosed = true;
    this.history?.close();
  }

  /** Counts that one reader was told that events may be missing. */
  noteReset(reason: ResetReason): void {
    tallyOf(this.services.log).noteReset('reader', reason);
  }

  addReader(reader: Reader): void {
    this.hadReaderBeforeLive ||= !this.isLive;
    this.readers.add(reader);
  }

  removeReader(reader: Reader): void {
    this.readers.delete(reader);
  }

  /** Whether the source is listening. */
  get ready(): boolean {
    return this.isLive;
  }

  /** Resolves once the source is listening, or after `timeout` milliseconds. */
  async whenReady(timeout: number): Promise<void> {
    if (!this.isLive) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, timeout);
        this.waiting.add(done);
      });
    }
  }

  /** The event that a new client receives first, if the source has one. */
  current(): SourceEvent | undefined {
    try {
      const event = atOnce(this.feed?.current?.());
      if (event) {
        checkEvent(event, this.limits);
      }
      return event;
    } catch (error) {
      this.warn(`gave no valid first event for a new client: ${reasonOf(error)}`);
      this.noteReset('skipped-event');
      return resetEvent(this.name, 'skipped-event');
    }
  }

  /** The label that stands for the channel's name in event ids. */
  get label(): string {
    return (this.ownLabel ??= labelOf(this.name));
  }

  /** A source that calls `live()` again may have missed events, unless it goes on at the head. */
  private liveAgain(position: string | undefined): void {
    if (position === undefined || position !== this.log.headPosition) {
      this.warn('called live() again. Its clients receive a reset.');
      this.reset('listener-gap', position);
    }
  }

  /** Whether a position is at or before the head of the log. */
  private isBehindHead(position: string | undefined): boolean {
    const { headPosition } = this.log;
    return (
      this.history !== undefined &&
      position !== undefined &&
      headPosition !== undefined &&
      this.history.compare(position, headPosition) <= 0
    );
  }

  private count(data: string): void {
    const { received } = this.services;
    received.events++;
    received.bytes += Buffer.byteLength(data);
  }

  private warn(what: string): void {
    this.services.log.warn(`The source of the channel ${JSON.stringify(this.name)} ${what}`);
  }

  /** Whether the source has made this call after its feed was closed. */
  private isLate(call: string): boolean {
    if (this.isClosed) {
      this.warn(`called ${call} after close(). The call has no effect.`);
    }
    return this.isClosed;
  }

  /** Returns the position if clients can return with it; else warns and returns `undefined`. */
  private checked(position: string | undefined, call: string): string | undefined {
    if (position === undefined || isPosition(position)) {
      return position;
    }
    this.warn(
      `called ${call} with the position ${shown(position)}, which clients cannot return with. The position is ignored.`,
    );
    return undefined;
  }
}
