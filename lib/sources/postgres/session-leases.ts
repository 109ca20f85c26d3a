import { monotonicNow } from '../../channel/clock.js';
import type { Lease, Leases } from '../../channel/lease.js';
import type { Session } from './session.js';

/** Between two attempts to get the leases that others hold, in milliseconds. */
const ATTEMPT_INTERVAL_MS = 5_000;

/**
 * Leases that last as long as a session: each is an advisory lock, which the server releases with
 * the session of an instance that dies.
 *
 * Behind a pooler there are none, as the next statement may reach another session of the server.
 */
export class SessionLeases implements Leases {
  private readonly leases = new Set<SessionLease>();
  private session: Session | undefined;
  private nextAttempt = -Infinity;

  claim(name: string, onChange: () => void): Lease {
    const lease: SessionLease = new SessionLease(name, onChange, () => this.release(lease));
    this.leases.add(lease);
    this.nextAttempt = -Infinity;
    return lease;
  }

  /**
   * Asks for the leases that are not held, from time to time. Call it whenever the session is idle.
   *
   * @throws Error when the session is lost
   */
  async attempt(session: Session): Promise<void> {
    if (session.isPooled || monotonicNow() < this.nextAttempt) {
      return;
    }
    this.session = session;
    this.nextAttempt = monotonicNow() + ATTEMPT_INTERVAL_MS;
    for (const lease of this.leases) {
      if (!lease.isHeld && (await ask(session, 'pg_try_advisory_lock', lease.name))) {
        lease.settle(true);
      }
    }
  }

  /** The session is over, and with it all leases. The next one may ask at once. */
  sessionEnded(): void {
    this.session = undefined;
    this.nextAttempt = -Infinity;
    this.leases.forEach((lease) => lease.settle(false));
  }

  private async release(lease: SessionLease): Promise<void> {
    this.leases.delete(lease);
    if (lease.isHeld && this.session) {
      lease.settle(false);
      // If this fails, the session is lost, and the lease with it.
      await ask(this.session, 'pg_advisory_unlock', lease.name).catch(() => undefined);
    }
  }
}

class SessionLease implements Lease {
  isHeld = false;

  constructor(
    readonly name: string,
    private readonly onChange: () => void,
    readonly release: () => Promise<void>,
  ) {}

  settle(isHeld: boolean): void {
    if (this.isHeld !== isHeld) {
      this.isHeld = isHeld;
      this.onChange();
    }
  }
}

async function ask(session: Session, lock: string, name: string): Promise<boolean> {
  const [row] = await session.queryAgainAfterLocks<{ done: boolean }>({
    text: `select ${lock}(hashtextextended($1, 0)) as done`,
    values: [name],
  });
  return row!.done;
}
