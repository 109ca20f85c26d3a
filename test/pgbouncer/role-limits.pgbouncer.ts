import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  connect,
  createInstance,
  record,
  startInstance,
  stopAll,
} from '../event-table/event-table-rig.js';
import { faultsOf, NO_FAULTS, range } from '../event-table/numbered-events.js';
import { listening } from '../postgres/listen-recording.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { startPgBouncer, type PgBouncer } from './pgbouncer.js';

const REFUSED = { code: 'UNAVAILABLE', message: expect.stringContaining('connection pooler') };

describe.each(['transaction', 'session'] as const)('Through PgBouncer in %s mode,', (mode) => {
  let database: TestDatabase;
  let pooler: PgBouncer;
  beforeEach(async () => {
    database = await createDatabase();
    const admin = await connect(database.url);
    // Behind a pooler we cannot lift them, as others get the connection afterwards.
    const { rows } = await admin.query<{ name: string }>(
      `select name from pg_settings where name in ('statement_timeout', 'lock_timeout',
       'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
    );
    for (const { name } of rows) {
      await admin.query(`do $$ begin execute format('alter role %I in database %I set %I = %L',
        current_user, current_database(), '${name}', '2s'); end $$`);
    }
    pooler = await startPgBouncer(database.url, 10, mode);
  });
  afterEach(async () => {
    await stopAll();
    await pooler.stop();
    await database.drop();
  });

  it("a role's time limits cause no loss and no log line", async () => {
    // The retention rests for longer than a session may be idle.
    const retainInterval = 2_500;
    const instance = await startInstance(pooler.url, { listen: false, retainInterval });
    const sink = record(instance, 'news');
    const { history } = instance.table.open('news', sink);
    for (let n = 0; n < 12; n++) {
      await instance.table.publish('news', { data: String(n) });
      await history!.read(undefined, 100);
      // The last pauses are longer than what the limits allow.
      await new Promise((resolve) => setTimeout(resolve, n < 9 ? 200 : 2_300));
    }
    await until(() => sink.data.at(-1) === '11');
    expect(faultsOf(sink.data, range(0, 12))).toEqual(NO_FAULTS);
    expect(sink.resets).toEqual([]);
    expect([...instance.logger.warnings, ...instance.logger.errors]).toEqual([]);
  });

  it('a statement that a time limit ends leads to UNAVAILABLE, and the next one works', async () => {
    const instance = await startInstance(pooler.url, { listen: false });
    const sink = record(instance, 'news');
    const locker = await connect(database.url);
    await locker.query(`set idle_in_transaction_session_timeout = 0; set transaction_timeout = 0;
      begin; lock table sse.event in access exclusive mode`);
    await expect(instance.table.publish('news', { data: '0' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('timeout'),
    });
    await until(() => instance.logger.errors.length > 0);
    await locker.query('commit');
    await instance.table.publish('news', { data: '1' });
    await until(() => sink.events.length === 1);
    expect(sink.calls).toEqual(['1']);
    expect(instance.logger.errors).toEqual([expect.stringContaining('no event is lost')]);
  });

  it('LISTEN is refused, and so is an event table that listens', async () => {
    const refused = listening(pooler.url);
    await expect(refused.source.start(true)).rejects.toMatchObject(REFUSED);
    await refused.stop();
    const table = createInstance(pooler.url, { install: true });
    await expect(table.table.start(true)).rejects.toMatchObject(REFUSED);
  });
});
