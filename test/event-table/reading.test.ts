import { describe, expect, it } from '@jest/globals';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, createInstance, record, startInstance } from './event-table-rig.js';

const database = databaseForEach();

describe('The reader of the event table', () => {
  it('relies on a lock that a writer takes on the table itself before it takes an id', async () => {
    await startInstance(database.url);
    const writer = await connect(database.url);
    await writer.query('begin');
    await writer.query(`select sse.publish('a', 'x')`);
    const { rows } = await database.client.query<{ relation: string }>(
      `select relation::regclass::text as relation from pg_locks
       where mode = 'RowExclusiveLock' and relation in (
         select 'sse.event'::regclass union all select inhrelid from pg_inherits where inhparent = 'sse.event'::regclass)
       order by 1`,
    );
    // On the parent always; on the partition as well, though only once the row is routed to it.
    expect(rows.map(({ relation }) => relation)).toEqual(['sse.event', 'sse.event_1']);
    const { rows: writers } = await database.client.query(
      'select cardinality(sse.writers()) as count',
    );
    expect(writers).toEqual([{ count: 1 }]);
    await writer.query('rollback');
  });

  it("waits for a writer's open transaction, blocks nobody, and skips ids that were rolled back", async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    const [early, undone] = [await connect(database.url), await connect(database.url)];
    for (const writer of [early, undone]) await writer.query('begin');
    await early.query(`select sse.publish('a', 'first')`);
    await undone.query(`select sse.publish('a', 'undone')`);
    for (let number = 0; number < 50; number++) {
      await database.client.query(`select sse.publish('a', $1)`, [`later ${number}`]);
    }
    await undone.query('rollback');
    // All of them are visible to the reader by now; their order is what holds them back.
    await until(async () => (await instance.connection.query('select 1')).length);
    expect(sink.data).toEqual([]);
    await early.query('commit');
    await until(() => sink.events.length === 51);
    expect(sink.data.slice(0, 2)).toEqual(['first', 'later 0']);
    const ids = sink.events.map(({ position }) => Number(position!.split('.')[1]));
    expect(ids).toEqual([1, ...Array.from({ length: 50 }, (_, number) => number + 3)]);
  });

  it('waits for prepared transactions, also after a restart of the reader', async () => {
    const { rows } = await database.client.query('show max_prepared_transactions');
    expect((rows[0] as { max_prepared_transactions: string }).max_prepared_transactions).not.toBe(
      '0',
    );
    const first = await startInstance(database.url);
    const sink = record(first, 'a');
    await database.client.query('begin');
    await database.client.query(`select sse.publish('a', 'prepared')`);
    await database.client.query(`prepare transaction 'p'`);
    await database.client.query(`select sse.publish('a', 'after')`);
    const second = createInstance(database.url);
    const late = record(second, 'a');
    await second.table.start(false);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([sink.data, late.isLive]).toEqual([[], false]);
    await database.client.query(`commit prepared 'p'`);
    await until(() => sink.events.length === 2 && late.isLive);
    expect(sink.data).toEqual(['prepared', 'after']);
    // What the second one started after has been settled before.
    expect(late.start).toBe('1.2');
  });

  it('logs which transaction holds delivery up, and goes on when it ends', async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    const writer = await connect(database.url);
    const { rows } = await writer.query<{ pid: number }>('select pg_backend_pid() as pid');
    await writer.query('begin');
    await writer.query(`select sse.publish('a', 'slow')`);
    await database.client.query(`select sse.publish('a', 'held back')`);
    const stuck = await until(() => instance.table.stats.stuck);
    expect(stuck.pids).toEqual([rows[0]!.pid]);
    expect(stuck.age).toBeGreaterThanOrEqual(5_000);
    expect(instance.logger.warnings).toEqual([
      expect.stringContaining(
        `delivery waits at 1.0 for the transaction of pid ${rows[0]!.pid}, open for `,
      ),
    ]);
    // Idle in a transaction for 20 s; the soak waits that long.
    await new Promise((resolve) => setTimeout(resolve, sized({ quick: 500, soak: 15_000 })));
    expect(sink.data).toEqual([]);
    await writer.query('commit');
    await until(() => sink.events.length === 2);
    expect(sink.data).toEqual(['slow', 'held back']);
    expect(instance.table.stats.stuck).toBeUndefined();
    // On a busy machine reading may be out for a moment, which is told as well.
    const ended = instance.logger.logs.filter((line) => !line.includes('read again'));
    expect(ended).toEqual([expect.stringContaining('delivery goes on at 1.0')]);
  });

  it('joins history and live events without a gap while both grow', async () => {
    const instance = await startInstance(database.url);
    const total = sized({ quick: 3_000, soak: 30_000 });
    const sending = (async () => {
      for (let number = 0; number < total; number += 10) {
        await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            instance.table.publish('a', { data: String(number + index) }),
          ),
        );
      }
    })();
    const readers = [];
    for (let reader = 0; reader < 5; reader++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const data: string[] = [];
      const live: { position: string; data: string }[] = [];
      const feed = instance.table.open('a', {
        live: () => undefined,
        append: (event) => {
          live.push(event as (typeof live)[0]);
          return '';
        },
        reset: () => undefined,
      });
      const reading = (async () => {
        let position: string | undefined;
        for (;;) {
          const page = await feed.history!.read(position, 256);
          data.push(...page.events.map((event) => event.data));
          position = page.events.at(-1)?.position ?? position ?? '0.0';
          if (page.last) return position;
        }
      })();
      readers.push({ data, live, feed, reading });
    }
    await sending;
    const expected = Array.from({ length: total }, (_, number) => String(number));
    for (const { data, live, feed, reading } of readers) {
      const joined = await reading;
      await until(() => live.at(-1)?.data === expected.at(-1));
      const rest = live.filter(({ position }) => feed.history!.compare(position, joined) > 0);
      expect([...data, ...rest.map((event) => event.data)]).toEqual(expected);
    }
  });

  it('keeps the order of sends, and needs few statements', async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    const other = record(instance, 'b');
    const ids = await Promise.all(
      Array.from({ length: 5_000 }, (_, number) =>
        instance.table.publish(number % 5 === 0 ? 'b' : 'a', { data: String(number) }),
      ),
    );
    expect([...ids].sort(Intl.Collator('en', { numeric: true }).compare)).toEqual(ids);
    await until(() => sink.events.length + other.events.length === 5_000);
    expect(sink.data.map(Number)).toEqual([...sink.data].map(Number).sort((a, b) => a - b));
    const { rows } = await database.client.query<{ count: string }>(
      'select count(distinct xmin::text) from sse.event',
    );
    expect(Number(rows[0]!.count)).toBeLessThanOrEqual(12);
  });

  it('publishes a batch without the events that the table refuses', async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    const results = await Promise.allSettled([
      instance.table.publish('a', { data: 'one' }),
      instance.table.publish('a', { data: 'NUL \0' }),
      instance.table.publish('a', { data: 'x', id: '1.5' }),
      instance.table.publish('a', { data: 'two \ud800' }),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    await until(() => sink.events.length === 2);
    const refused = (sql: string) =>
      database.client.query(sql).then(
        () => '',
        (error: Error) => error.message,
      );
    expect(await refused(`select sse.publish('', 'x')`)).toContain('the topic is empty');
    expect(await refused(`select sse.publish('a', 'x', E'a\\nb')`)).toContain('Give one line');
    expect(await refused(`select sse.publish('a', 'x', null, '1.5')`)).toContain(
      'could be a position',
    );
    expect(await refused(`select sse.publish('a', 'x', null, null, -1)`)).toContain('retry is -1');
  });

  it('serves many channels without mixing them up, and closes those that are dropped', async () => {
    const instance = await startInstance(database.url);
    const sinks = Array.from({ length: 600 }, (_, number) => record(instance, `topic ${number}`));
    await Promise.all(
      sinks.map((_, number) => instance.table.publish(`topic ${number}`, { data: String(number) })),
    );
    await until(() => sinks.every(({ events }) => events.length === 1));
    expect(sinks.every(({ data }, number) => data[0] === String(number))).toBe(true);
    const feed = instance.table.open('once', sinks[0]!);
    feed.close();
    await instance.table.publish('once', { data: 'nobody' });
    await instance.table.publish('topic 1', { data: 'end' });
    await until(() => sinks[1]!.events.length === 2);
    expect(sinks[0]!.events).toHaveLength(1);
  });
});
