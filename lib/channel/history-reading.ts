import { resetData, type Channel } from './channel.js';
import { backoff } from './backoff.js';
import { monotonicNow } from './clock.js';
import { checkEvent } from './event-check.js';
import { LogEntry } from './log-entry.js';
import { RESET_TYPE } from './sse-event.js';
import type { HistoryEvent, ResetReason, SourceEvent } from './source.js';

/** Events per page of history: one page is all a reader that catches up holds. */
const PAGE_SIZE = 256;
const RETRY = { first: 100, most: 5_000 };

/** A page of history, as the readers that asked for it at the same time share it. */
interface LoadedPage {
  readonly entries: readonly LogEntry[];
  readonly last: boolean;
  readonly reset: ResetReason | undefined;
  readonly ended: boolean;
  /** The head of the log when the page was asked for. */
  readonly covered: number;
}

/** Takes what is read of a history. */
export interface HistoryReader {
  page(entries: readonly LogEntry[]): void;
  /**
   * Everything up to this position was read.
   * @param covered the head of the log when the last page was asked for
   */
  end(position: string, covered: number): void;
  /** The event at the position ended its run, and the client has received it. */
  ended(): void;
  reset(reason: ResetReason): void;
  /** One of the above was called, and not from within `proceed()`. */
  loaded(): void;
}

/** Reads a source's history page by page, at the pace of one reader. */
export class HistoryReading {
  private isStopped = false;
  private isLast = false;
  private retry: NodeJS.Timeout | undefined;
  private attempt = 0;
  private covered = 0;

  constructor(
    private readonly channel: Channel,
    private position: string | undefined,
    /** Whether the client has received the event at the position, which may have been its last. */
    private readonly mayHaveEnded: boolean,
    private readonly reader: HistoryReader,
  ) {}

  /** Resolves after the first page. */
  async start(): Promise<void> {
    const { position } = this;
    const page = await this.read();
    if (page && !page.reset && position !== undefined) {
      this.channel.log.noteEnd(position, page.ended);
    }
  }

  /** The reader has taken the page. */
  proceed(): void {
    if (this.isLast) {
      this.reader.end(this.position!, this.covered);
    } else {
      void this.read();
    }
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.retry);
  }

  private async read(): Promise<LoadedPage | undefined> {
    const page = await this.readWithRetry();
    if (page && !this.isStopped) {
      this.covered = page.covered;
      this.pass(page);
      this.reader.loaded();
    }
    return page;
  }

  private pass(page: LoadedPage): void {
    this.isLast = page.last;
    if (page.reset) {
      this.reader.reset(page.reset);
      return;
    }
    if (page.ended && this.mayHaveEnded) {
      this.reader.ended();
      return;
    }
    const last = page.entries.at(-1);
    if (last) {
      this.position = last.position;
      this.reader.page(page.entries);
      return;
    }
    // With nothing retained at all, the log's own start is as early as it gets.
    this.reader.end(this.position ?? this.channel.log.headPosition ?? '', this.covered);
  }

  private async readWithRetry(): Promise<LoadedPage | undefined> {
    while (!this.isStopped) {
      try {
        const page = await loadPage(this.channel, this.position);
        this.attempt = 0;
        return page;
      } catch {
        // The source logs its outage; this reader has to wait for the end of it.
        await new Promise<void>((resolve) => {
          this.retry = setTimeout(resolve, backoff(this.attempt++, RETRY));
        });
      }
    }
    return undefined;
  }
}

/** The reads that are under way: clients that return together ask for the same pages. */
const underWay = new WeakMap<Channel, Map<string | undefined, Promise<LoadedPage>>>();

function loadPage(channel: Channel, position: string | undefined): Promise<LoadedPage> {
  let reads = underWay.get(channel);
  if (!reads) {
    underWay.set(channel, (reads = new Map()));
  }
  let read = reads.get(position);
  if (!read) {
    read = readPage(channel, position).finally(() => reads.delete(position));
    reads.set(position, read);
  }
  return read;
}

async function readPage(channel: Channel, position: string | undefined): Promise<LoadedPage> {
  const covered = channel.log.head;
  const page = await channel.feed!.history!.read(position, PAGE_SIZE);
  const now = monotonicNow();
  return {
    entries: page.events.map((event) => entryOf(channel, event, now)),
    last: page.last,
    reset: page.reset,
    ended: page.ended === true,
    covered,
  };
}

/** What a client is shown of an event of history: in place of one that cannot be sent, a reset. */
function entryOf(channel: Channel, event: HistoryEvent, now: number): LogEntry {
  const reset = event.reset ?? faultOf(channel, event);
  return reset === undefined
    ? new LogEntry(0, event.position, event, now)
    : new LogEntry(0, event.position, resetEvent(channel.name, reset), now);
}

function faultOf(channel: Channel, event: HistoryEvent): ResetReason | undefined {
  try {
    checkEvent(event, channel.limits);
    return undefined;
  } catch {
    return 'skipped-event';
  }
}

function resetEvent(channel: string, reason: ResetReason): SourceEvent {
  return { type: RESET_TYPE, data: resetData(channel, reason) };
}
