import { atOnce } from './at-once.js';
import { withDeadline } from './deadline.js';
import type { AppendedEvent, EventLog } from './event-log.js';
import {
  checkPage,
  HistoryFault,
  resetPage,
  type CheckedPage,
  type HistoryChannel,
} from './history-page.js';
import { Outage } from './outage.js';
import { reasonOf } from './reason.js';
import { SseError } from './sse-error.js';
import type { ChannelHistory, SseLogger } from './source.js';
import type { Turns } from './turns.js';

/** Events per page of history: one page is all a reader that catches up holds. */
const PAGE_SIZE = 256;
/** How long a source may take for a page, in milliseconds. */
const READ_TIMEOUT_MS = 30_000;

/** The channel whose history it is, with what it has beside it. */
export interface HistoryOwner extends HistoryChannel {
  readonly log: EventLog;
}

/** What the channels of a source share. */
export interface SourceServices {
  /** Where it is told what a source does wrong; limited, as there may be many channels. */
  readonly log: SseLogger;
  /** Lets few pages be read at a time. */
  readonly reads: Turns;
}

/** A page, and what the log had when it was asked for: the page has that as well, or is behind. */
export interface LoadedPage extends CheckedPage {
  /** The head of the log. */
  readonly covered: number;
  /** The newest event that was appended; `undefined` when there was none since a failover. */
  readonly newest: AppendedEvent | undefined;
}

/** A page that is being read, for one of those who have asked for it. */
export interface PendingPage {
  /**
   * The page; one that breaks the contract has a reset. `undefined` when nobody waits any more.
   * Rejects with what the source does, and with `UNAVAILABLE` when it does not answer.
   */
  readonly page: Promise<LoadedPage | undefined>;
  /** Waits no longer. */
  leave(): void;
}

interface SharedRead {
  readonly page: Promise<LoadedPage | undefined>;
  readonly abort: AbortController;
  readers: number;
}

/**
 * The history of a source as readers may rely on it: every call ends, no answer breaks what the
 * interface promises, and what is wrong is logged.
 */
export class CheckedHistory {
  /** Clients that return together ask for the same pages. */
  private readonly reads = new Map<string | undefined, SharedRead>();
  private readonly outage: Outage;
  /** The subject of log lines. */
  private readonly subject: string;

  constructor(
    private readonly history: ChannelHistory,
    private readonly owner: HistoryOwner,
    private readonly services: SourceServices,
  ) {
    this.outage = new Outage(services.log);
    this.subject = `The history of the channel ${JSON.stringify(owner.name)}`;
  }

  /** Orders two positions; `NaN` when the source cannot. */
  readonly compare = (a: string, b: string): number => {
    let order: unknown;
    try {
      order = atOnce(this.history.compare(a, b));
    } catch (error) {
      this.report(`cannot compare positions: ${reasonOf(error)}`);
      return NaN;
    }
    if (typeof order !== 'number' || Number.isNaN(order)) {
      this.report(`compares two positions to ${String(order)}, which is no order.`);
      return NaN;
    }
    return order;
  };

  /** Reads the page after a position. */
  read(position: string | undefined): PendingPage {
    let read = this.reads.get(position);
    if (!read) {
      const abort = new AbortController();
      const page = this.services.reads
        .take(() => this.load(position, abort.signal))
        .finally(() => this.forget(position, abort));
      read = { page, abort, readers: 0 };
      this.reads.set(position, read);
    }
    const shared = read;
    shared.readers++;
    const leave = (): void => {
      if (--shared.readers === 0) {
        this.forget(position, shared.abort);
        shared.abort.abort();
      }
    };
    return { page: shared.page, leave };
  }

  /** A source does something wrong. */
  report(what: string): void {
    this.services.log.error(`${this.subject} ${what}`);
  }

  private async load(
    position: string | undefined,
    signal: AbortSignal,
  ): Promise<LoadedPage | undefined> {
    if (signal.aborted) {
      return undefined;
    }
    const { head: covered, newest } = this.owner.log;
    return { ...(await this.loadChecked(position, signal)), covered, newest };
  }

  private async loadChecked(
    position: string | undefined,
    signal: AbortSignal,
  ): Promise<CheckedPage> {
    let isLogged = false;
    try {
      const answer = this.ask(position, signal).catch((error: unknown) => {
        // Who rejects with an `SseError` has logged the outage.
        isLogged = error instanceof SseError;
        throw error;
      });
      const page = await withDeadline(answer, READ_TIMEOUT_MS, 'It');
      this.outage.end(`${this.subject} can be read again.`);
      return checkPage(page, this.owner, this);
    } catch (error) {
      if (error instanceof HistoryFault) {
        this.report(`${error.message}. Its readers are told of a gap.`);
        return resetPage('listener-gap');
      }
      if (!isLogged && !signal.aborted) {
        this.outage.begin(`${this.subject} cannot be read: ${reasonOf(error)} Its readers wait.`);
      }
      throw error;
    }
  }

  private async ask(position: string | undefined, signal: AbortSignal): Promise<unknown> {
    return this.history.read(position, PAGE_SIZE, signal);
  }

  private forget(position: string | undefined, abort: AbortController): void {
    if (this.reads.get(position)?.abort === abort) {
      this.reads.delete(position);
    }
  }
}
