import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SessionLeases } from '../../lib/sources/postgres/session-leases.js';
import { Session } from '../../lib/sources/postgres/session.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';

describe('Leases of a Postgres session', () => {
  let database: TestDatabase;
  const sessions: Session[] = [];

  beforeEach(async () => void (database = await createDatabase()));
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
    await database.drop();
  });

  /** An instance, and how often it was told of a change. */
  async function instance() {
    const { signal } = new AbortController();
    const session = await Session.open(
      { connectionString: database.url },
      { purpose: 'event table' },
      signal,
    );
    sessions.push(session);
    const leases = new SessionLeases();
    const changes: boolean[] = [];
    const lease = leases.claim('poll', () => changes.push(lease.isHeld));
    return { session, leases, lease, changes };
  }

  it('belong to one instance, and to another after the first has released them', async () => {
    const [a, b] = [await instance(), await instance()];
    await a.leases.attempt(a.session);
    await b.leases.attempt(b.session);
    expect([a.lease.isHeld, b.lease.isHeld]).toEqual([true, false]);
    await a.lease.release();
    // An attempt that was in vain is not repeated at once, but where the session is another.
    b.leases.sessionEnded();
    await b.leases.attempt(b.session);
    expect([a.changes, b.changes]).toEqual([[true, false], [true]]);
    // What was released is not claimed again.
    await b.lease.release();
    a.leases.sessionEnded();
    await a.leases.attempt(a.session);
    expect([a.lease.isHeld, b.lease.isHeld]).toEqual([false, false]);
  });

  it('end with their session, and another instance gets them', async () => {
    const [a, b] = [await instance(), await instance()];
    await a.leases.attempt(a.session);
    const kill = `select pg_terminate_backend(${a.session.pid})`;
    await b.session.query({ text: kill });
    await until(() => a.session.isClosed);
    a.leases.sessionEnded();
    expect(a.changes).toEqual([true, false]);
    await until(async () => {
      b.leases.sessionEnded();
      await b.leases.attempt(b.session);
      return b.lease.isHeld;
    });
    await a.lease.release();
    expect(b.lease.isHeld).toBe(true);
  });

  it('can have holders at the same time when their names differ', async () => {
    const [a, b] = [await instance(), await instance()];
    const other = b.leases.claim('another', () => undefined);
    await a.leases.attempt(a.session);
    await b.leases.attempt(b.session);
    expect([a.lease.isHeld, b.lease.isHeld, other.isHeld]).toEqual([true, false, true]);
  });
});
