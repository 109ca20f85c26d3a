import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import type { SseLogger } from '../../channel/source.js';
import type { OpenWriter, ReaderStatements } from './reader-statements.js';
import type { Session } from '../postgres/session.js';

/** The pauses between two looks at the open writers, in milliseconds; the last one is repeated. */
const PAUSES_MS = [2, 2, 4, 4, 8, 8, 16, 16, 32, 64, 100];
/** How long a writer may hold delivery back before it is reported, in milliseconds. */
const STUCK_AFTER = 5_000;
/** Between two looks at what a stuck writer is, in milliseconds. */
const REPORT_INTERVAL = 1_000;
/** A prepared transaction that was open when the server last started is shown under this prefix. */
const PREPARED = '-1/';

/** What holds delivery back. */
export interface Stuck {
  /** Since when, on the monotonic clock. */
  readonly since: number;
  readonly writers: readonly OpenWriter[];
}

/**
 * Waits for the transactions that may still fill a hole between ids.
 *
 * An event that can be seen above a hole was given its id after the hole's id was given out. The
 * transaction that took that id held a lock on the table before it took it, holds it until its
 * end, and Postgres makes a commit visible before it releases the locks. So once all who hold
 * the lock now have released it, the hole is either filled or empty for ever.
 */
export class Fence {
  /** Set while a writer holds delivery back for long. */
  stuck: Stuck | undefined;
  #nextReport = 0;

  constructor(
    private readonly statements: ReaderStatements,
    private readonly logger: SseLogger,
  ) {}

  /**
   * Resolves once no transaction that is open now can add events with ids up to those that were
   * given out before. What it does not see was committed or rolled back before the next statement.
   *
   * @throws Error when the session is lost or closed
   */
  async pass(session: Session, position: string): Promise<void> {
    const started = monotonicNow();
    let open = new Set(await this.statements.writers(session));
    try {
      for (let look = 0; open.size > 0; look++) {
        const ms = PAUSES_MS[Math.min(look, PAUSES_MS.length - 1)]!;
        await sleep(ms, undefined, { signal: session.signal });
        const now = await this.statements.writers(session);
        // A transaction that is prepared keeps its name, but for releases that do not know that.
        open = new Set(now.filter((writer) => open.has(writer) || writer.startsWith(PREPARED)));
        if (open.size > 0 && monotonicNow() - started >= STUCK_AFTER) {
          await this.#report(session, [...open], started, position);
        }
      }
      if (this.stuck) {
        this.logger.log(`Postgres event table: delivery goes on at ${position}.`);
      }
    } finally {
      this.stuck = undefined;
    }
  }

  async #report(
    session: Session,
    open: readonly string[],
    since: number,
    position: string,
  ): Promise<void> {
    const isNew = this.stuck === undefined;
    if (!isNew && monotonicNow() < this.#nextReport) {
      return;
    }
    this.#nextReport = monotonicNow() + REPORT_INTERVAL;
    const writers = await this.statements.describeWriters(session, open);
    this.stuck = { since, writers };
    if (isNew) {
      this.logger.warn(
        `Postgres event table: delivery waits at ${position} for ${writers.map(nameOf).join(', ') || 'an open transaction'}, ` +
          'which wrote events and has not ended. End it, or set idle_in_transaction_session_timeout.',
      );
    }
  }
}

function nameOf({ pid, age }: OpenWriter): string {
  const since = age === undefined ? '' : `, open for ${Math.round(age / 1_000)} s`;
  return pid === undefined
    ? `a prepared transaction${since}`
    : `the transaction of pid ${pid}${since}`;
}
