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
import { shown } from './shown.js';
import { SseError } from './sse-error.js';
import type { ChannelHistory, SseLogger } from './source.js';
import type { Received } from './tally.js';
import { Turns } from './turns.js';

/** Events per page of history. A reader that catches up holds one page at a time. */
const PAGE_SIZE = 256;
/** How long a source may take for a page, in milliseconds. */
const READ_TIMEOUT_MS = 30_000;

export interface HistoryOwner extends HistoryChannel {
  readonly log: EventLog;
}

/** Services that the channels of one source share. */
export interface SourceServices {
  /** Takes warnings about the source; limited, as many channels may repeat them. */
  readonly log: SseLogger;
  /** Limits how many pages are read at the same time. */
  readonly reads: Turns;
  /** Counts what comes from the source. */
  readonly received: Received;
}

/** The services of a channel that shares none with other channels. */
export const UNSHARED: SourceServices = {
  log: { log: () => undefined, warn: () => undefined, error: () => undefined },
  reads: new Turns(Infinity),
  received: { events: 0, bytes: 0 },
};

/** A page, and the state of the log when it was requested. A page that has less is behind. */
export interface LoadedPage extends CheckedPage {
  /** The head of the log. */
  readonly covered: number;
  /** The newest event of the log; `undefined` when there was none since a failover. */
  readonly newest: AppendedEvent | undefined;
}

/** One reader's wait for a page, which several readers may share. */
export interface PendingPage {
  /**
   * The page. It holds a reset if the source broke its contract; it is `undefined` if every reader
   * has left. Rejects with the source's error, or with `UNAVAILABLE` when the source is too slow.
   */
  readonly page: Promise<LoadedPage | undefined>;
  /** Ends this reader's wait. */
  leave(): void;
}

interface SharedRead {
  readonly page: Promise<LoadedPage | undefined>;
  readonly abort: AbortController;
  readers: number;
}

/**
 * Wraps a source's history so that readers can rely on it: every call ends, every answer keeps the
 * interface's promises, and the log tells what the source did wrong.
 */
export class CheckedHistory {
  /** Pages being read, by position: clients that return together share them. */
  private readonly reads = new Map<string | undefined, SharedRead>();
  private readonly outage: Outage;
  private readonly subject: string;

  constructor(
    private readonly history: ChannelHistory,
    private readonly owner: HistoryOwner,
    private readonly services: SourceServices,
  ) {
    this.outage = new Outage(services.log, 'history');
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
      this.report(`compared two positions and returned ${shown(order)}, which is no order.`);
      return NaN;
    }
    return order;
  };

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

  /** Nobody reads it any more. */
  close(): void {
    this.outage.drop();
  }

  /** Logs that the source has done something wrong. */
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
        // A source that rejects with an `SseError` has logged the outage itself.
        isLogged = error instanceof SseError;
        throw error;
      });
      const page = await withDeadline(answer, READ_TIMEOUT_MS, 'It');
      this.outage.end(`${this.subject} can be read again.`);
      return checkPage(page, this.owner, this);
    } catch (error) {
      if (error instanceof HistoryFault) {
        this.report(`${error.message}. Its clients receive a reset.`);
        return resetPage('listener-gap');
      }
      if (!isLogged && !signal.aborted) {
        this.outage.begin(`${this.subject} cannot be read: ${reasonOf(error)} Its clients wait.`);
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
