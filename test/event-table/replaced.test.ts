import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventTableSql } from '../../lib/index.js';
import { startPidChangingProxy } from '../postgres/listen-pooler-proxy.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { holds } from '../support/property.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import {
  connect,
  record,
  startInstance,
  stopAll,
  type EventSink,
  type Instance,
} from './event-table-rig.js';

const database = databaseForEach();

const run = (sql: string) => database.client.query(sql);
const write = (from: number, to: number) =>
  run(`select sse.publish('a', n::text) from generate_series(${from}, ${to}) n`);
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

let proxy: TcpProxy;
beforeEach(async () => void (proxy = await startProxy(database.url)));
afterEach(async () => {
  await stopAll();
  await proxy.close();
});

/** Does something between two looks of the reader at the table. */
async function betweenLooks<T>(code: () => Promise<T>): Promise<T> {
  proxy.freeze();
  try {
    return await code();
  } finally {
    proxy.thaw();
  }
}

/** An instance whose connections can be frozen. */
const startBehindProxy = (): Promise<Instance> =>
  // The waker's statements hold a lock on the table for two seconds, for which TRUNCATE waits.
  startInstance(proxy.url(database.url), { waker: false, pollInterval: 50 });

/** An instance that has read the events 1 to 12. */
async function readTwelve() {
  const instance = await startBehindProxy();
  const sink = record(instance, 'a');
  await write(1, 12);
  await until(() => sink.events.length === 12);
  return { instance, sink };
}

let markers = 0;

/**
 * Sends events until one arrives, as a reset covers what is sent before it is announced. Gives what
 * the sink was told from `count` calls on, with the one that has arrived as `next`.
 */
async function toldFrom({ table }: Instance, { calls }: EventSink, count: number) {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
    const marker = `marker ${++markers}`;
    await table.publish('a', { data: marker });
    const hasArrived = await until(() => calls.at(-1) === marker, { deadline: 100 }).catch(
      () => false,
    );
    if (hasArrived) {
      return [...calls.slice(count).filter((call) => !call.startsWith('marker')), 'next'];
    }
  }
  throw new Error('No event has arrived within 30 s.');
}

describe("When the table's history is replaced while the reader is connected, clients", () => {
  it.each([
    [
      'set back, and as many events written anew',
      `delete from sse.event; select setval('sse.event_id_seq', 1, false)`,
    ],
    [
      'truncated by a session in which no trigger is run, and as many events written anew',
      `set session_replication_role = replica; truncate sse.event restart identity`,
    ],
    ['dropped and created anew', `drop schema sse cascade; ${eventTableSql()}`],
  ])('get a reset after the table was %s', async (_, replace) => {
    const { instance, sink } = await readTwelve();
    await betweenLooks(async () => {
      await run(`${replace}; set session_replication_role = origin`);
      await write(101, 112);
    });
    expect(await toldFrom(instance, sink, 12)).toEqual(['reset:failover', 'next']);
    expect(instance.logger.warnings).toEqual([expect.stringContaining('we had read up to 1.12')]);
  });

  it('get the reset when the session ends before the reader has told them', async () => {
    const { instance, sink } = await readTwelve();
    // The reader tells clients once this transaction has ended.
    const writer = await connect(database.url);
    await writer.query(`begin; select sse.publish('b', 'never there')`);
    await betweenLooks(async () => {
      await run(`delete from sse.event; select setval('sse.event_id_seq', 1, false)`);
      await write(101, 112);
    });
    const reader = `from pg_stat_activity where application_name = 'nestjs-sse-channels event table'`;
    const { pid } = await until(
      async () => (await run(`select pid ${reader} and query like '%writers()%'`)).rows[0],
    );
    await run(`select pg_terminate_backend(${pid})`);
    await writer.query('rollback');
    expect(await toldFrom(instance, sink, 12)).toEqual(['reset:failover', 'next']);
  });

  it('get a reset at the next poll after the sequence alone was set back', async () => {
    const { sink } = await readTwelve();
    await run(`delete from sse.event; select setval('sse.event_id_seq', 5)`);
    await until(() => sink.resets.length);
    expect(sink.resets).toEqual(['failover 1.5']);
  });

  it('get a reset after a pooler led the reader to a server on another timeline', async () => {
    const pooler = await startPidChangingProxy(database.url);
    try {
      const instance = await startInstance(pooler.url, { listen: false, pollInterval: 50 });
      const sink = record(instance, 'a');
      await run(
        `create or replace function sse.timeline() returns integer language sql as 'select 2'`,
      );
      await until(() => sink.resets.length);
      expect(sink.resets).toEqual(['failover 2.0']);
      expect(instance.logger.errors).toEqual([]);
    } finally {
      await stopAll();
      await pooler.close();
    }
  });
});

describe('After TRUNCATE or DELETE', () => {
  it('the SQL can be run again while an instance adds a partition', async () => {
    await run(eventTableSql());
    await run('truncate sse.meta');
    // The first half of extend(), which an instance runs.
    const other = await connect(database.url);
    await other.query('begin');
    await other.query(
      `select pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels partitions "sse"', 0))`,
    );
    await other.query('lock table sse.event in access share mode');
    const installed = run(eventTableSql());
    const isWaiting = async () =>
      (await other.query(`select from pg_stat_activity where wait_event_type = 'Lock'`)).rowCount;
    await until(isWaiting);
    await other.query('select sse.extend(1000000, 10)');
    await other.query('commit');
    await installed;
    expect((await run('select from sse.partitions()')).rowCount).toBeGreaterThanOrEqual(10);
  });

  it('ids continue and clients miss nothing, even with RESTART IDENTITY', async () => {
    const { instance, sink } = await readTwelve();
    await betweenLooks(async () => {
      await run('truncate sse.event restart identity');
      await write(101, 112);
    });
    expect(await toldFrom(instance, sink, 12)).toEqual([...numbers(101, 112), 'next']);
    expect(sink.events.at(-1)!.position).toBe('1.25');
    // Whoever returns with a position from before is told.
    const { history } = instance.table.open('a', sink);
    expect(await history!.read('1.11', 10)).toMatchObject({ reset: 'trimmed' });
    expect((await history!.read('1.12', 100)).events).toHaveLength(13);
  });

  it.each(['sse.event', 'sse.event_1', 'sse.event, sse.history, sse.meta'])(
    'of %s, clients get a reset for events removed before they were read',
    async (tables) => {
      const { instance, sink } = await readTwelve();
      await betweenLooks(async () => {
        await write(13, 24);
        await run(`truncate ${tables}`);
      });
      expect(await toldFrom(instance, sink, 12)).toEqual(['reset:trimmed', 'next']);
      expect(sink.resets).toEqual(['trimmed 1.24']);
      // And the SQL can be run again.
      await run(eventTableSql());
      expect(await toldFrom(instance, sink, sink.calls.length)).toEqual(['next']);
    },
  );

  it('of unread rows, clients get a reset as well', async () => {
    const { instance, sink } = await readTwelve();
    await betweenLooks(async () => {
      await write(13, 24);
      await run('delete from sse.event where id < 20');
    });
    const told = ['reset:trimmed', ...numbers(20, 24), 'next'];
    expect(await toldFrom(instance, sink, 12)).toEqual(told);
    expect(sink.resets).toEqual(['trimmed 1.19']);
    // Of what has been read, only those who return hear.
    await run('delete from sse.event where id = 22');
    expect(await toldFrom(instance, sink, sink.calls.length)).toEqual(['next']);
    const { history } = instance.table.open('a', sink);
    expect(await history!.read('1.21', 10)).toMatchObject({ reset: 'trimmed' });
    expect((await history!.read('1.22', 10)).reset).toBeUndefined();
  });

  it('nothing changes when the transaction rolls back', async () => {
    const { instance, sink } = await readTwelve();
    await run('begin; truncate sse.event restart identity; rollback');
    expect(await toldFrom(instance, sink, 12)).toEqual(['next']);
    const { history } = instance.table.open('a', sink);
    expect((await history!.read('1.1', 100)).events).toHaveLength(12);
  });
});

describe('A row inserted with an explicit id', () => {
  const insert = (ids: string) =>
    `insert into sse.event (id, topic, data) overriding system value select id, 'a', 'own ' || id from unnest(array[${ids}]) id`;

  it("below the reader's position causes one reset per transaction", async () => {
    const { instance, sink } = await readTwelve();
    await run('delete from sse.event where id in (4, 5, 6)');
    // Of a session that has taken no id yet, and of one that has.
    const fresh = await connect(database.url);
    await fresh.query(insert('4, 5'));
    expect(await toldFrom(instance, sink, 12)).toEqual(['reset:failover', 'next']);
    await run(insert('6'));
    expect(await toldFrom(instance, sink, sink.calls.length)).toEqual(['reset:failover', 'next']);
    const { history } = instance.table.open('a', sink);
    expect(await history!.read('1.3', 100)).toMatchObject({ reset: 'trimmed' });
  });

  it('in the place of the row read last causes a reset even where triggers do not run', async () => {
    const { instance, sink } = await readTwelve();
    await run('delete from sse.event where id = 12');
    // Whether or not the reader has seen that it is gone.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await run(`set session_replication_role = replica; ${insert('12')};
      set session_replication_role = origin`);
    expect(await toldFrom(instance, sink, 12)).toEqual(['reset:failover', 'next']);
  });

  it.each([
    ['in a session with triggers', 'origin'],
    ['in a session without', 'replica'],
  ])('above the sequence costs none of the events that follow, %s', async (_, role) => {
    const { instance, sink } = await readTwelve();
    const fresh = await connect(database.url);
    await fresh.query(`set session_replication_role = ${role}; ${insert('18, 19')}`);
    // Without a trigger the ids in between are still to be given out, and these rows wait for them.
    const other = await connect(database.url);
    await other.query(`begin; select sse.publish('a', 'between')`);
    const told = toldFrom(instance, sink, 12);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await other.query('commit');
    const expected = ['between', 'next', 'own 18', 'own 19'];
    expect([...(await told)].sort()).toEqual(expected);
    const ids = sink.events.map(({ position }) => Number(position!.split('.')[1]));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('above the sequence counts, also when the session took its id before the sequence was set back', async () => {
    const { instance, sink } = await readTwelve();
    const { calls } = sink;
    // The session has taken the id 12 last.
    await run(`delete from sse.event; select setval('sse.event_id_seq', 1, false)`);
    expect(await toldFrom(instance, sink, 12)).toEqual(['reset:failover', 'next']);
    const count = calls.length;
    await betweenLooks(async () => {
      await run(insert('12'));
      await run('truncate sse.event');
    });
    expect(await toldFrom(instance, sink, count)).toEqual(['reset:trimmed', 'next']);
  });

  it('is not replayed by an instance that starts after a restore', async () => {
    await run(eventTableSql());
    await run(
      `set session_replication_role = replica; ${insert('1, 2, 3')}; set session_replication_role = origin`,
    );
    const instance = await startBehindProxy();
    const sink = record(instance, 'a');
    expect(sink.start).toBe('1.3');
    expect(await toldFrom(instance, sink, 0)).toEqual(['next']);
  });
});

describe('Ids of events', () => {
  it("end where JavaScript's numbers stop being exact, and an error says so", async () => {
    const { instance, sink } = await readTwelve();
    const most = Number.MAX_SAFE_INTEGER;
    await run(`select setval('sse.event_id_seq', ${most - 2}), sse.extend(10000, 3)`);
    const ids = [
      await instance.table.publish('a', { data: 'last but one' }),
      await instance.table.publish('a', { data: 'last' }),
    ];
    expect(ids).toEqual([`1.${most - 1}`, `1.${most}`]);
    await until(() => sink.data.at(-1) === 'last');
    expect(sink.events.slice(-2).map(({ position }) => position)).toEqual(ids);
    await expect(instance.table.publish('a', { data: 'none left' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('no ids left'),
    });
    const { history } = instance.table.open('a', sink);
    expect((await history!.read(ids[0], 10)).events).toMatchObject([{ data: 'last' }]);
  });
});

describe('A random series of changes to the table', () => {
  let written: string[] = [];
  const next = (): string => {
    written.push(`event ${written.length}`);
    return `'${written.at(-1)}'`;
  };
  const many = (n: number): string =>
    Array.from({ length: n }, () => `select sse.publish('a', ${next()});`).join('');
  const own = (id: string): string =>
    `insert into sse.event (id, topic, data) overriding system value select ${id}, 'a', ${next()} from sse.event_id_seq`;

  const actions: Record<string, (n: number) => string> = {
    publish: many,
    truncate: () => 'truncate sse.event',
    delete: (n) =>
      `delete from sse.event where id > (select last_value - ${n} from sse.event_id_seq)`,
    restart: () => 'truncate sse.event restart identity',
    'set back': () => `delete from sse.event; select setval('sse.event_id_seq', 1, false)`,
    above: (n) => own(`last_value + ${n}`),
    // Writes nothing when there are no ids so far below.
    below: (n) =>
      `delete from sse.event where id = (select last_value - ${n} from sse.event_id_seq);
       ${own(`last_value - ${n}`)} where last_value > ${n}`,
    undone: (n) =>
      `begin; select sse.publish('a', 'undone') from generate_series(1, ${n}); rollback`,
    look: () => '',
  };
  const STEP = fc.tuple(fc.constantFrom(...Object.keys(actions)), fc.integer({ min: 1, max: 12 }));

  /** Those that were neither received nor announced as missing by a reset in their place. */
  const lost = (calls: readonly string[]): string[] => {
    const places = written.map((data) => calls.indexOf(data));
    return written.filter((_, number) => {
      const before = Math.max(-1, ...places.slice(0, number));
      const after = places.slice(number).find((place) => place >= 0) ?? calls.length;
      return (
        places[number]! < 0 &&
        !calls.slice(before + 1, after).some((call) => call.startsWith('reset'))
      );
    });
  };

  it('loses nothing without a reset', async () => {
    const instance = await startBehindProxy();
    const restorer = await connect(database.url);
    const sink = record(instance, 'a');
    await holds(
      fc.asyncProperty(
        fc.array(STEP, { minLength: 1, maxLength: sized({ quick: 10, soak: 6 }) }),
        async (steps) => {
          const count = sink.calls.length;
          written = [];
          proxy.freeze();
          for (const [action, n] of steps) {
            if (action === 'look') {
              proxy.thaw();
              await toldFrom(instance, sink, 0);
              proxy.freeze();
            } else {
              // A session that writes an id anew that it was the last to take cannot be told apart.
              const client = action === 'below' ? restorer : database.client;
              const results = [await client.query(actions[action]!(n))].flat();
              if (action === 'below' && results.at(-1)!.rowCount === 0) {
                written.pop();
              }
            }
          }
          proxy.thaw();
          await toldFrom(instance, sink, 0);
          expect(lost(sink.calls.slice(count))).toEqual([]);
        },
      ),
      { quick: 15, soak: 2_000 },
    );
  });
});
