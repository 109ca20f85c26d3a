import { describe, expect, it } from '@jest/globals';
import { durableTriggerSql } from '../../lib/index.js';
import { startPostgres } from '../support/postgres.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, record, startInstance, stopAll } from './event-table-rig.js';

const database = databaseForEach();

/** Far longer than the test: what arrives was not found by looking at intervals. */
const NEVER = 600_000;

describe('The reader of the event table', () => {
  it("hears of an event by the NOTIFY of the writer's transaction alone", async () => {
    const instance = await startInstance(database.url, { waker: false, pollInterval: NEVER });
    const sink = record(instance, 'a');
    await database.client.query(`set sse.wake = 'on'`);
    for (let count = 1; count <= 20; count++) {
      await database.client.query(`select sse.publish('a', 'x')`);
      await until(() => sink.events.length === count);
    }
  });

  it('hears of an event by the waker alone, which wakes every instance', async () => {
    const options = { pollInterval: NEVER };
    const instances = [
      await startInstance(database.url, options),
      await startInstance(database.url, options),
    ];
    const sinks = instances.map((instance) => record(instance, 'a'));
    await until(() => instances.some(({ table }) => table.stats.elected));
    await database.client.query(`set sse.wake = 'off'`);
    for (let count = 1; count <= 20; count++) {
      await database.client.query(`select sse.publish('a', 'x')`);
      await until(() => sinks.every(({ events }) => events.length === count));
    }
    expect(instances.filter(({ table }) => table.stats.elected)).toHaveLength(1);
  });

  it("hears of an event by another instance's waker when its own may not wake", async () => {
    const first = await startInstance(database.url, { waker: false, pollInterval: NEVER });
    await until(() => first.table.stats.elected);
    const second = await startInstance(database.url, { pollInterval: NEVER });
    const sinks = [first, second].map((instance) => record(instance, 'a'));
    await database.client.query(`set sse.wake = 'off'`);
    for (let count = 1; count <= 5; count++) {
      await database.client.query(`select sse.publish('a', 'x')`);
      await until(() => sinks.every(({ events }) => events.length === count));
    }
  });

  it('hears of an event that was written before the waker watched', async () => {
    const { hostname: host, port, username: user, password, pathname } = new URL(database.url);
    let connections = 0;
    const instance = await startInstance(
      {
        host,
        port: Number(port),
        user,
        database: pathname.slice(1),
        password: async () => {
          // The reader's own connection is the first, the waker's the second.
          if (++connections === 2) await database.client.query(`select sse.publish('a', 'before')`);
          return password;
        },
      },
      { pollInterval: NEVER },
    );
    const sink = record(instance, 'a');
    await until(() => sink.events.length === 1);
    expect(sink.data).toEqual(['before']);
  });

  it('finds an event by polling alone', async () => {
    const instance = await startInstance(database.url, {
      listen: false,
      waker: false,
      pollInterval: 200,
    });
    const sink = record(instance, 'a');
    await database.client.query(`set sse.wake = 'off'`);
    for (let count = 1; count <= 5; count++) {
      await database.client.query(`select sse.publish('a', 'x')`);
      await until(() => sink.events.length === count);
    }
  });

  it('gets another waker soon after the instance with the lease is gone', async () => {
    const options = { pollInterval: NEVER };
    const first = await startInstance(database.url, options);
    await until(() => first.table.stats.elected);
    // The second one asks for election when it looks, so it has to look from time to time.
    const second = await startInstance(database.url, { pollInterval: 500 });
    expect(second.table.stats.elected).toBe(false);
    await first.stop();
    await until(() => second.table.stats.elected);
  });

  it("gets its waker back soon, however often the waker's connection was lost before", async () => {
    const instance = await startInstance(database.url, { pollInterval: NEVER });
    const sink = record(instance, 'a');
    await database.client.query(`set sse.wake = 'off'`);
    const watching = async (): Promise<number | undefined> => {
      const { rows } = await database.client.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and query ~ '[.]watch[(]' and pid <> pg_backend_pid()`,
      );
      return rows[0]?.pid;
    };
    for (let loss = 1; loss <= 10; loss++) {
      const pid = await until(watching);
      await database.client.query('select pg_terminate_backend($1)', [pid]);
      // Pauses that only grow would be longer than that from the fifth loss on.
      await until(async () => ![undefined, pid].includes(await watching()));
      await database.client.query(`select sse.publish('a', 'x')`);
      await until(() => sink.events.length === loss);
    }
    expect([...instance.logger.warnings, ...instance.logger.errors]).toEqual([]);
  });

  it('hears a NOTIFY by default only while no other open transaction sends one', async () => {
    // As servers are by default; those of the other tests allow two-phase commits.
    const server = await startPostgres({ settings: { max_prepared_transactions: '0' } });
    try {
      const instance = await startInstance(server.url, { waker: false, pollInterval: NEVER });
      const sink = record(instance, 'a');
      const [one, two, listener] = [
        await connect(server.url),
        await connect(server.url),
        await connect(server.url),
      ];
      let heard = 0;
      listener.on('notification', () => heard++);
      await listener.query('listen sse');
      await one.query('create table rows (id int)');
      await one.query(durableTriggerSql({ table: 'rows', channel: 'a' }));

      await one.query(`select sse.publish('a', 'alone')`);
      await until(() => sink.events.length === 1 && heard === 1);
      await one.query('insert into rows values (1)');
      await until(() => sink.events.length === 2 && heard === 2);
      await one.query('begin');
      await one.query(`select sse.publish('a', 'first')`);
      await two.query('begin');
      await two.query(`select sse.publish('a', 'second')`);
      // The first one notifies, and what commits before it is read along.
      await two.query('commit');
      await listener.query('select 1');
      expect(heard).toBe(2);
      await one.query('commit');
      await until(() => sink.events.length === 4 && heard === 3);
      expect(sink.data).toEqual(['alone', '{"id":1}', 'first', 'second']);
    } finally {
      await stopAll();
      await server.stop();
    }
  });

  it('hears no NOTIFY by default where transactions can be prepared', async () => {
    const listener = await connect(database.url);
    let heard = 0;
    listener.on('notification', () => heard++);
    await listener.query('listen sse');
    await startInstance(database.url, { waker: false, listen: false });
    await database.client.query(`select sse.publish('a', 'x')`);
    await listener.query('select 1');
    expect(heard).toBe(0);
    await database.client.query('begin');
    await database.client.query(`select sse.publish('a', 'x')`);
    await database.client.query(`prepare transaction 'wake'`);
    await database.client.query(`commit prepared 'wake'`);
    await database.client.query(`set sse.wake = 'on'`);
    await database.client.query(`select sse.publish('a', 'x')`);
    await until(() => heard === 1);
  });

  it('sends an idle database at most two statements a second per instance', async () => {
    // Statistics count the transactions of autovacuum as well.
    const server = await startPostgres({ settings: { autovacuum: 'off' } });
    try {
      await startInstance(server.url);
      await startInstance(server.url);
      const admin = await connect(server.url);
      await admin.query('create table t (id int)');
      await admin.query(durableTriggerSql({ table: 't', channel: 't' }));
      await admin.query(`insert into t values (1)`);
      const transactions = async () => {
        // The statistics are written with a delay, by the backends themselves.
        const { rows } = await admin.query<{ count: string }>(
          `select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()`,
        );
        return Number(rows[0]!.count);
      };
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      const before = await transactions();
      const started = performance.now();
      await new Promise((resolve) => setTimeout(resolve, sized({ quick: 6_000, soak: 30_000 })));
      const count = (await transactions()) - before;
      const perSecond = count / ((performance.now() - started) / 1_000) / 2;
      process.stderr.write(
        `event table: ${perSecond.toFixed(2)} statements a second per idle instance\n`,
      );
      expect(perSecond).toBeGreaterThan(0);
      expect(perSecond).toBeLessThanOrEqual(2);
    } finally {
      await stopAll();
      await server.stop();
    }
  });
});
