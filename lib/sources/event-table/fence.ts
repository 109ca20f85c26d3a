import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import type { SseLogger } from '../../channel/source.js';
import type { Session } from '../postgres/session.js';
import {
  describeWriters,
  openWriters,
  transactionName,
  type OpenTransaction,
} from './open-transactions.js';

/** The pauses between two looks at the open writers, in milliseconds; the last one is repeated. */
const PAUSES_MS = [2, 2, 4, 4, 8, 8, 16, 16, 32, 64, 100];
/** How long a writer may delay delivery before we report it, in milliseconds. */
const STUCK_AFTER_MS = 5_000;
/** The time between two reports of a stuck writer, in milliseconds. */
const REPORT_INTERVAL_MS = 1_000;
/** A prepared transaction that was open when the server last started is shown under this prefix. */
const PREPARED = '-1/';

/** The writers for which delivery waits. */
export interface Stuck {
  /** Since when, on the monotonic clock. */
  readonly since: number;
  readonly writers: readonly OpenTransaction[];
}

/**
 * Waits for the transactions that may still fill a hole between ids.
 *
 * An event above a hole is visible, so the hole's id was given out before that event's. Whoever took
 * the hole's id locked the table before, and keeps the lock until its transaction ends; Postgres
 * makes a commit visible before it releases the locks. So once all transactions that hold the lock
 * now have ended, the hole is filled, or empty for ever.
 */
export class Fence {
  stuck: Stuck | undefined;
  private nextReport = 0;

  constructor(
    private readonly schema: string,
    private readonly logger: SseLogger,
  ) {}

  /**
   * Resolves once all transactions have ended that are open now and may write events. Each id that
   * was given out before the call is then visible to the next statement, or never will be.
   *
   * @throws Error when the session is lost or closed
   */
  async pass(session: Session, position: string): Promise<void> {
    const started = monotonicNow();
    let open = new Set(await openWriters(session, this.schema));
    try {
      for (let look = 0; open.size > 0; look++) {
        const ms = PAUSES_MS[Math.min(look, PAUSES_MS.length - 1)]!;
        await sleep(ms, undefined, { signal: session.signal });
        const now = await openWriters(session, this.schema);
        // Some releases of Postgres rename a transaction, to this prefix, when it is prepared.
        open = new Set(now.filter((writer) => open.has(writer) || writer.startsWith(PREPARED)));
        if (open.size > 0 && monotonicNow() - started >= STUCK_AFTER_MS) {
          await this.report(session, [...open], started, position);
        }
      }
      if (this.stuck) {
        this.logger.log(`Postgres event table: delivery goes on at ${position}.`);
      }
    } finally {
      this.stuck = undefined;
    }
  }

  private async report(
    session: Session,
    open: readonly string[],
    since: number,
    position: string,
  ): Promise<void> {
    const isNew = this.stuck === undefined;
    if (!isNew && monotonicNow() < this.nextReport) {
      return;
    }
    this.nextReport = monotonicNow() + REPORT_INTERVAL_MS;
    const writers = await describeWriters(session, this.schema, open);
    this.stuck = { since, writers };
    if (isNew) {
      this.logger.warn(
        `Postgres event table: delivery waits at ${position} for ${writers.map(transactionName).join(', ') || 'an open transaction'}, ` +
          'which wrote events and has not ended. End it, or set idle_in_transaction_session_timeout.',
      );
    }
  }
}
