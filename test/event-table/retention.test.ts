import { describe, expect, it } from '@jest/globals';
import { eventTableSql } from '../../lib/index.js';
import { startPidChangingProxy } from '../postgres/listen-pooler-proxy.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, record, startInstance, stopAll } from './event-table-rig.js';

const database = databaseForEach();

const lows = async (): Promise<number[]> => {
  const { rows } = await database.client.query<{ low: string }>(
    'select low from sse.partitions() order by low',
  );
  return rows.map(({ low }) => Number(low));
};

describe('Retention of the event table', () => {
  it('drops old events while writers write, and sends a reset to clients that return too late', async () => {
    const retain = { age: 1_000 };
    const instance = await startInstance(database.url, {
      retain,
      retainInterval: 50,
      partitionSize: 10_000,
    });
    const sink = record(instance, 'a');
    const first = await instance.table.publish('a', { data: 'first' });
    let isWriting = true;
    let count = 1;
    const writing = (async () => {
      while (isWriting) {
        await instance.table.publish('a', { data: String(count++) });
      }
    })();
    await until(async () => (await lows())[0]! > 1);
    isWriting = false;
    await writing;
    await until(() => sink.events.length === count);
    expect(sink.resets).toEqual([]);
    const { history } = instance.table.open('a', sink);
    expect(await history!.read(first, 10)).toMatchObject({ reset: 'trimmed', events: [] });
    // From the earliest on there is no gap to announce; the newest is always there.
    const rest = await history!.read(undefined, 100_000);
    expect(rest).toMatchObject({ last: true });
    expect(rest.reset).toBeUndefined();
    expect(rest.events.at(-1)).toEqual(sink.events.at(-1));
    expect(await history!.read(sink.events.at(-1)!.position!, 10)).toEqual({
      events: [],
      last: true,
    });
  });

  it.each([100, 1_000])(
    'needs 100 to 300 bytes on disk beside the data of an event of %d bytes',
    async (size) => {
      await database.client.query(eventTableSql());
      const bytes = async (): Promise<number> => {
        const { rows } = await database.client.query<{ bytes: string }>(
          'select sum(bytes) as bytes from sse.usage()',
        );
        return Number(rows[0]!.bytes);
      };
      const before = await bytes();
      const count = 3_000;
      await database.client.query(
        `insert into sse.event (topic, event, data)
         select 'order:' || n, 'update', repeat('x', $1) from generate_series(1, $2) n`,
        [size, count],
      );
      const beside = ((await bytes()) - before) / count - size;
      expect(beside).toBeGreaterThan(100);
      expect(beside).toBeLessThan(300);
    },
  );

  it(
    'bounds the size of the table, and shows that size in the stats',
    async () => {
      const bytes = 4_000_000;
      const instance = await startInstance(database.url, { retain: { bytes }, retainInterval: 30 });
      const data = 'x'.repeat(2_000) + Math.random();
      const total = sized({ quick: 6_000, soak: 60_000 });
      let largest = 0;
      for (let sent = 0; sent < total; sent += 100) {
        await Promise.all(
          Array.from({ length: 100 }, () =>
            // Random, as the server would compress it to nothing otherwise.
            instance.table.publish('a', {
              data:
                data +
                Buffer.from(crypto.getRandomValues(new Uint8Array(1_500))).toString('base64'),
            }),
          ),
        );
        largest = Math.max(largest, instance.table.stats.disk?.bytes ?? 0);
      }
      const disk = await until(() => {
        const { disk: usage } = instance.table.stats;
        return usage && usage.bytes < bytes * 1.25 ? usage : undefined;
      });
      expect(largest).toBeGreaterThan(bytes / 2);
      expect(disk.partitions).toBeLessThan(15);
      expect((await lows())[0]).toBeGreaterThan(1);
      // What was measured last may be older than what was written last.
      await until(async () => {
        const { rows } = await database.client.query(
          `select sum(pg_total_relation_size(inhrelid))::float8 as bytes from pg_inherits where inhparent = 'sse.event'::regclass`,
        );
        return (rows[0] as { bytes: number }).bytes < bytes * 1.25;
      });
    },
    sized({ quick: 60_000, soak: 300_000 }),
  );

  it('shows the size of the table on every instance, whichever holds the lease', async () => {
    const instances = [
      await startInstance(database.url, { retainInterval: 50 }),
      await startInstance(database.url, { retainInterval: 50 }),
    ];
    await until(() => instances.every(({ table }) => table.stats.disk));
    expect(instances.filter(({ table }) => table.stats.elected)).toHaveLength(1);
    const before = instances.map(({ table }) => table.stats.disk!);
    expect(before.map(({ partitions }) => partitions)).toEqual([3, 3]);
    await database.client.query(`select sse.publish('a', repeat(md5(random()::text), 10000))
      from generate_series(1, 50)`);
    await until(() =>
      instances.every(
        ({ table: { stats } }, index) =>
          stats.disk!.bytes > before[index]!.bytes && stats.disk!.oldest !== undefined,
      ),
    );
    expect(instances.flatMap(({ logger }) => logger.warnings)).toEqual([]);
  });

  it('runs on every instance behind a pooler, and none logs a complaint about another', async () => {
    const pooler = await startPidChangingProxy(database.url);
    const retain = { age: 100 };
    const options = {
      listen: false,
      pollInterval: 10,
      partitionSize: 10_000,
      retain,
      retainInterval: 10,
    };
    try {
      const instances = await Promise.all(
        Array.from({ length: 4 }, () => startInstance(pooler.url, options)),
      );
      // Each of the first partitions has a million ids, and is closed early again and again.
      await until(async () => {
        await database.client.query(`select sse.publish('a', 'x')`);
        return (await lows())[0]! > 3_010_000;
      });
      expect(instances.flatMap(({ logger }) => [...logger.warnings, ...logger.errors])).toEqual([]);
    } finally {
      await stopAll();
      await pooler.close();
    }
  });

  it("does not wait for a writer's open transaction, which would block other writers behind it", async () => {
    const retain = { age: 200 };
    const instance = await startInstance(database.url, {
      retain,
      retainInterval: 50,
      partitionSize: 10_000,
    });
    const sink = record(instance, 'a');
    const writer = await connect(database.url);
    await instance.table.publish('a', { data: 'old' });
    await writer.query('begin');
    await writer.query(`select sse.publish('a', 'open')`);
    await until(async () => (await lows()).length >= 4);
    // The partition cannot be dropped under the open writer; everybody else goes on.
    let slowest = 0;
    const until1 = Date.now() + sized({ quick: 2_500, soak: 15_000 });
    while (Date.now() < until1) {
      const started = performance.now();
      await instance.table.publish('a', { data: 'new' });
      slowest = Math.max(slowest, performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // A statement that waits for the open writer gives up after 3 s, and holds up others until then.
    expect(slowest).toBeLessThan(2_500);
    expect(sink.data).toEqual(['old']);
    await writer.query('commit');
    await until(() => sink.events.at(-1)?.data === 'new');
    expect(sink.data[1]).toBe('open');
    expect(sink.resets).toEqual([]);
    await until(async () => (await lows())[0]! > 1);
  });

  it('creates partitions ahead of the ids, and logs what is wrong when a partition is missing', async () => {
    const instance = await startInstance(database.url, { partitionSize: 10_000 });
    const sink = record(instance, 'a');
    await until(() => instance.table.stats.disk);
    // As if nobody had created any for a million events.
    await database.client.query('drop table sse.event_1000001, sse.event_2000001');
    await database.client.query(`select setval('sse.event_id_seq', 999999)`);
    await database.client.query(`select sse.publish('a', 'last')`);
    await expect(database.client.query(`select sse.publish('a', 'full')`)).rejects.toThrow(
      'no partition of relation "event" found',
    );
    // An instance helps itself.
    await instance.table.publish('a', { data: 'sent' });
    await until(() => sink.events.length === 2);
    expect(sink.data).toEqual(['last', 'sent']);
    expect((await lows()).some((low) => low > 1_000_000)).toBe(true);
  });

  it('continues the ids behind the newest when all partitions are gone', async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    const ids = [];
    for (let number = 0; number < 3; number++)
      ids.push(await instance.table.publish('a', { data: 'x' }));
    await until(() => sink.events.length === 3);
    await database.client.query(`do $$ declare p text; begin
      for p in select name from sse.partitions() loop execute format('drop table sse.%I', p); end loop; end $$`);
    await instance.table.publish('a', { data: 'after' });
    await until(() => sink.data.at(-1) === 'after');
    const { history } = instance.table.open('a', sink);
    expect(await history!.read(ids[0], 10)).toMatchObject({ reset: 'trimmed' });
  });
});
