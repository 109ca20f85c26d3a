import { backoff } from '../../channel/backoff.js';
import { appendOrSkip } from '../../channel/event-check.js';
import type { Histogram } from '../../channel/histogram.js';
import type { ChannelFeed, HistoryEvent, OrderedSink, ResetReason } from '../../channel/source.js';
import { itemsOf, itemsOfMessage, type StreamItem, type StreamMessage } from './stream-entry.js';
import { StreamHistory } from './stream-history.js';
import { compareStreamIds } from './stream-id.js';
import type { StreamReading } from './stream-reading.js';

/** Entries per read after a missed message. One may hold many events. */
const PAGE = 100;
/** The most messages that wait while the feed reads the stream. After more, it reads once more. */
const MAX_BUFFERED = 1_000;
/** An entry that took longer was not written under the time. */
const MAX_DELAY_MS = 86_400_000;
const RETRY = { first: 100, most: 5_000 };

/** The options in which feeds of one stream differ. */
export interface StreamOptions {
  /** Turns an event of the stream into one of this channel. Default: unchanged. */
  readonly shape?: (event: HistoryEvent) => HistoryEvent;
  /** Called when a publisher wakes the readers of this stream. */
  readonly onWake?: () => void;
  /** Called when the server has lost a part of the stream. */
  readonly onLost?: () => void;
}

export interface StreamFeedOwner {
  readonly reading: StreamReading;
  /** Takes for how long entries were under way, in seconds. */
  readonly delay: Histogram;
  close(feed: StreamFeed): void;
}

/**
 * Feeds one channel from its stream. A message brings a new entry and names the entry before it. If
 * that is not the last entry we have, the feed reads the stream instead.
 */
export class StreamFeed implements ChannelFeed {
  readonly history: StreamHistory;
  /** The id of the last item that the channel got; `undefined` until the channel is live. */
  private last: string | undefined;
  private buffered: StreamMessage[] = [];
  private reading = false;
  private readAgain = false;
  private retry: NodeJS.Timeout | undefined;
  private attempt = 0;
  /** An entry that a page lacked although Redis has it. */
  private unfound: string | undefined;
  private isClosed = false;

  constructor(
    readonly key: string,
    private readonly sink: OrderedSink,
    private readonly options: StreamOptions,
    private readonly owner: StreamFeedOwner,
  ) {
    this.history = new StreamHistory(key, owner.reading, options.shape);
  }

  /** Whether it reads the stream, as a message did not come. */
  get isBehind(): boolean {
    return this.reading;
  }

  /** Notes that the subscription works, and that the stream ends with this entry. */
  tailIs(id: string): void {
    if (this.isClosed) {
      return;
    }
    if (this.last === undefined) {
      this.last = id;
      this.sink.live(id);
      this.takeBuffered();
    } else if (id !== this.last) {
      this.read();
    }
  }

  /** Reads the stream, which may hold an entry whose message was lost. */
  read(): void {
    if (this.last === undefined || this.reading) {
      this.readAgain = true;
    } else {
      this.reading = true;
      void this.readOn();
    }
  }

  wake(): void {
    this.options.onWake?.();
  }

  receive(message: StreamMessage): void {
    if (this.last === undefined || this.reading) {
      this.buffer(message);
    } else if (message.previous === this.last) {
      this.takeMessage(message);
    } else {
      // The stream holds the missed entries, and those of this message.
      this.read();
    }
  }

  /** Repeats a failed reading at once, as the connection is back. */
  retryNow(): void {
    if (this.retry) {
      clearTimeout(this.retry);
      void this.readOn();
    }
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retry);
    this.buffered = [];
    this.owner.close(this);
  }

  private buffer(message: StreamMessage): void {
    if (this.buffered.length >= MAX_BUFFERED) {
      this.buffered = [];
      this.readAgain = true;
    }
    this.buffered.push(message);
  }

  private takeBuffered(): void {
    const messages = this.buffered;
    this.buffered = [];
    for (const message of messages) {
      const end = itemsOfMessage(message).at(-1)!.id;
      if (message.previous === this.last) {
        this.takeMessage(message);
      } else if (compareStreamIds(end, this.last!) > 0) {
        this.readAgain = true;
      }
    }
    if (this.readAgain) {
      this.read();
    }
  }

  /** Takes a message that follows the last item. */
  private takeMessage(message: StreamMessage): void {
    const { plain } = message;
    const count = plain && !this.options.shape ? (this.sink.appendOrdered?.(plain) ?? 0) : 0;
    if (count > 0) {
      this.last = plain![count - 1]!.position;
    }
    if (count !== plain?.length) {
      this.take(itemsOfMessage(message).slice(count));
    }
    this.noteDelay();
  }

  private take(items: readonly StreamItem[]): void {
    for (const item of items) {
      this.last = item.id;
      if (item.kind === 'event') {
        const event = this.options.shape?.(item.event) ?? item.event;
        appendOrSkip(this.sink, event, ({ message }) => this.noteSkipped(item.id, message));
      } else if (item.kind === 'reset') {
        if (item.version !== undefined) {
          this.owner.reading.noteLater(this.key, item.version);
        } else if (item.fault !== undefined) {
          this.noteSkipped(item.id, item.fault);
        }
        this.reset(item.reason, item.id, true);
      }
    }
  }

  /** Notes for how long the last entry was under way: its id begins with the time at the server. */
  private noteDelay(): void {
    const ms = Math.max(0, Date.now() - Number.parseInt(this.last!, 10));
    // Other programs may write entries under ids that are no times.
    if (ms < MAX_DELAY_MS) {
      this.owner.delay.record(ms / 1_000);
    }
  }

  private noteSkipped(id: string, reason: string): void {
    this.owner.reading.noteSkipped(this.key, id, reason);
  }

  private async readOn(): Promise<void> {
    this.retry = undefined;
    // The stream holds the entries of all messages until now.
    this.buffered = [];
    this.readAgain = false;
    try {
      while (!(await this.readPage())) {
        // The next page.
      }
      this.attempt = 0;
    } catch {
      this.retryLater();
      return;
    }
    this.reading = false;
    if (!this.isClosed) {
      this.takeBuffered();
    }
  }

  /** Reads the page after the last entry. Returns whether it was the last page. */
  private async readPage(): Promise<boolean> {
    const last = this.last!;
    const range = { from: last, count: PAGE + 1 };
    const { entries, last: isEnd } = await this.owner.reading.page(this.key, range);
    if (this.isClosed) {
      return true;
    }
    const items = entries.flatMap(itemsOf);
    const at = items.findIndex(({ id }) => id === last);
    if (at >= 0) {
      this.take(items.slice(at + 1));
      if (at + 1 < items.length) {
        this.noteDelay();
      }
      return isEnd;
    }
    const { what, tail } = await this.owner.reading.verify(this.key, last);
    if (what === 'here' && this.unfound !== last) {
      // It may have come in between. If the next page lacks it as well, another program wrote it.
      this.unfound = last;
      return false;
    }
    if (!this.isClosed) {
      this.last = tail;
      this.reset(what === 'trimmed' ? 'trimmed' : 'failover', tail);
    }
    return true;
  }

  private reset(reason: ResetReason, position: string, isInPlace?: boolean): void {
    this.sink.reset(reason, position, isInPlace);
    if (reason === 'failover') {
      this.options.onLost?.();
    }
  }

  private retryLater(): void {
    if (this.isClosed) {
      return;
    }
    this.retry = setTimeout(() => void this.readOn(), backoff(this.attempt++, RETRY)).unref();
  }
}
