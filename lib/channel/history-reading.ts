import { backoff } from './backoff.js';
import type { CheckedHistory, LoadedPage, PendingPage } from './checked-history.js';
import type { LogEntry } from './log-entry.js';
import type { ResetReason } from './source.js';

/** The waits before a page is requested again: 100, 200, 400 … 5,000 ms, before jitter. */
const RETRY = { first: 100, most: 5_000 };
/** The most repeated requests for a page that lacks appended events; about 15 s altogether. */
const MOST_LAGS = 8;

/** Where a reader starts in a history. */
export interface HistoryStart {
  /** `undefined` for the oldest event that is retained. */
  readonly position: string | undefined;
  /** Whether the source gave the position. Otherwise a client did, and may have made it up. */
  readonly isOfSource: boolean;
  /** Whether the client has received the event there, which may have been its last. */
  readonly mayHaveEnded: boolean;
}

/** Takes the pages of a history. */
export interface HistoryTarget {
  /**
   * The reader starts behind the event at this position.
   * @param isEnd whether that event ended its run
   */
  begins(position: string, isEnd: boolean): void;
  page(entries: readonly LogEntry[]): void;
  /**
   * The history was read up to this position; `undefined` when it is empty.
   * @param covered `log.head` when the last page was requested
   */
  end(position: string | undefined, covered: number): void;
  /** The event at the position ended its run, and the client has received it. */
  ended(): void;
  reset(reason: ResetReason): void;
  /** One of the above was called, and not from within `proceed()`. */
  loaded(): void;
}

/** Reads a source's history page by page, at the pace of one reader. */
export class HistoryReading {
  private position: string | undefined;
  /** The position of the last event that the source gave. */
  private last: string | undefined;
  private pending: PendingPage | undefined;
  private retry: NodeJS.Timeout | undefined;
  private isStopped = false;
  private isLast = false;
  private hasEnded = false;
  private attempt = 0;
  private lags = 0;
  private covered = 0;

  constructor(
    private readonly history: CheckedHistory,
    private readonly start: HistoryStart,
    private readonly reader: HistoryTarget,
  ) {
    this.position = start.position;
    this.last = start.isOfSource ? start.position : undefined;
  }

  /** Resolves once the first page or a reset has come; never rejects. */
  async begin(): Promise<void> {
    await this.read();
  }

  /** Goes on after the reader has taken a page. */
  proceed(): void {
    if (this.isLast) {
      this.reader.end(this.position, this.covered);
    } else {
      void this.read();
    }
  }

  stop(): void {
    this.isStopped = true;
    this.pending?.leave();
    clearTimeout(this.retry);
  }

  private async read(): Promise<void> {
    while (!this.isStopped) {
      const page = await this.load();
      if (page && !this.isStopped && this.take(page)) {
        this.reader.loaded();
        return;
      }
      await this.pause();
    }
  }

  /** The next page; `undefined` when it must be requested again. */
  private async load(): Promise<LoadedPage | undefined> {
    this.pending = this.history.read(this.position);
    try {
      return await this.pending.page;
    } catch {
      return undefined;
    } finally {
      this.pending = undefined;
    }
  }

  /** Passes a page to the reader; false when it must be requested again. */
  private take(page: LoadedPage): boolean {
    const { entries, reset } = page;
    const first = entries[0];
    if (this.last === undefined && !reset) {
      this.begins(page);
    }
    const last = entries.at(-1)?.position ?? this.position;
    if (reset) {
      this.reader.reset(reset);
    } else if (this.hasEnded) {
      this.reader.ended();
    } else if (first && this.last !== undefined && !this.isAfter(first.position, this.last)) {
      this.history.report(
        `gave the event at ${first.position} after the one at ${this.last}. Its clients receive a reset.`,
      );
      this.reader.reset('listener-gap');
    } else if (page.last && this.lacks(page, last)) {
      return this.isTooLate(page);
    } else {
      this.attempt = 0;
      this.lags = 0;
      this.isLast = page.last;
      this.covered = page.covered;
      this.position = last;
      if (first) {
        this.last = last;
        this.reader.page(entries);
      } else {
        this.reader.end(last, page.covered);
      }
    }
    return true;
  }

  /** The first page tells what the client's id stands for. */
  private begins({ ended, position }: LoadedPage): void {
    if (position !== undefined) {
      this.position = this.last = position;
    }
    if (this.position !== undefined) {
      this.reader.begins(this.position, ended);
    }
    this.hasEnded = ended && this.start.mayHaveEnded;
  }

  /** Whether the last page lacks an event that the log had when the page was requested. */
  private lacks({ newest }: LoadedPage, last: string | undefined): boolean {
    if (!newest || last === undefined || newest.id === last) {
      return false;
    }
    return this.isAfter(newest.position, last);
  }

  private isTooLate({ newest }: LoadedPage): boolean {
    if (this.lags++ < MOST_LAGS) {
      return false;
    }
    this.history.report(
      `does not give the event at ${newest!.position}, which was appended before. Its clients receive a reset.`,
    );
    this.reader.reset('listener-gap');
    return true;
  }

  private isAfter(position: string, other: string): boolean {
    return this.history.compare(position, other) > 0;
  }

  private async pause(): Promise<void> {
    if (!this.isStopped) {
      await new Promise<void>((resolve) => {
        this.retry = setTimeout(resolve, backoff(this.attempt++, RETRY));
      });
    }
  }
}
