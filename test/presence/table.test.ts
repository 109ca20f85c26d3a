import { afterEach, describe, expect, it } from '@jest/globals';
import type { PresenceSeat } from '../../lib/channel/presence.js';
import type { EventTableOptions } from '../../lib/sources/event-table/event-table.options.js';
import { databaseForEach } from '../event-table/each-database.js';
import { record, startInstance, type EventSink } from '../event-table/event-table-rig.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { RecordingSink, seat, toldBy } from './store-rig.js';

const database = databaseForEach();

const open = async (url = database.url, options: EventTableOptions = {}) => {
  const instance = await startInstance(url, { pollInterval: 100, ...options });
  const sink = new RecordingSink();
  const store = instance.table.openPresence(sink, { timeout: 3_000 });
  return {
    instance,
    sink,
    store,
    record: (channel: string): EventSink => record(instance, channel),
  };
};

const message = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => '',
    (error: Error) => error.message,
  );

describe('Presence beside the event table', () => {
  it('tells each join and leave once when many instances put the same clients at a time', async () => {
    const instances = await Promise.all([open(), open(), open()]);
    const sink = instances[0]!.record('a');
    const clients = Array.from({ length: 20 }, (_, nth) => `client ${nth}`);
    const channels = ['a', 'b', 'c'];
    const put = ({ store }: (typeof instances)[0], connections: number, nth: number) => {
      const seats = clients.flatMap((client) =>
        channels.map((channel) => seat(channel, client, { connections })),
      );
      // Each in another order: whoever locks in the order of seats runs into a deadlock.
      return store.put([...seats.slice(nth * 13), ...seats.slice(0, nth * 13)]);
    };
    for (let round = 1; round <= 5; round++) {
      await Promise.all(instances.map((one, nth) => put(one, round, nth)));
      expect(await instances[1]!.store.count('b')).toEqual({
        members: 20,
        connections: 60 * round,
      });
      await Promise.all(instances.map((one, nth) => put(one, 0, nth)));
      await until(() => sink.events.length >= 40 * round);
      for (const client of clients) {
        const told = toldBy(sink.events).filter((text) => text.endsWith(` ${client}`));
        expect(told).toEqual(
          Array.from({ length: round }, () => [`join ${client}`, `leave ${client}`]).flat(),
        );
      }
      const told = instances.flatMap((one) => one.sink.told.splice(0)).sort();
      expect(told).toEqual([
        ...channels.map((channel) => `occupied ${channel}`),
        ...channels.map((channel) => `vacated ${channel}`),
      ]);
    }
    const { rows } = await database.client.query<{ deadlocks: string }>(
      'select deadlocks from pg_stat_database where datname = current_database()',
    );
    expect(rows).toEqual([{ deadlocks: '0' }]);
  });

  it('changes nothing by a call that arrives after a later one, also once its seat is forgotten', async () => {
    const { store, instance } = await open();
    const early = seat('a', 'ann');
    const put = (one: PresenceSeat) => store.put([one]);
    await put(early);
    await put(seat('a', 'ann', { connections: 0 }));
    await put(early);
    expect(await store.count('a')).toEqual({ members: 0, connections: 0 });
    const seats = () => database.client.query('select from sse.seat');
    expect((await seats()).rowCount).toBe(1);
    await until(async () => (await seats()).rowCount === 0);
    await put(early);
    expect(await store.count('a')).toEqual({ members: 0, connections: 0 });
    expect(instance.logger.warnings).toEqual([]);
  });

  it('finds out that the tables were restored, and then who is there and who is not', async () => {
    const one = await open();
    const sink = one.record('a');
    await one.store.put([seat('a', 'stays'), seat('a', 'gone')]);
    await until(async () => {
      const { rows } = await database.client.query('select from sse.instance where beats > 1');
      return rows.length === 1;
    });
    const tables = ['instance', 'presence', 'seat'];
    const each = (sql: (table: string) => string) =>
      database.client.query(`begin; ${tables.map(sql).join(';')}; commit`);
    await each((table) => `create table ${table}_backup as select * from sse.${table}`);
    await one.store.put([seat('a', 'gone', { connections: 0 }), seat('a', 'new')]);
    const beats = `select beats from sse.instance`;
    const before = Number((await database.client.query(beats)).rows[0].beats);
    await until(async () => (await database.client.query(beats)).rows[0].beats > before);
    await each(
      (table) => `delete from sse.${table}; insert into sse.${table} select * from ${table}_backup`,
    );
    expect((await one.store.list('a', undefined, 9)).members).toMatchObject([
      { connections: 1 },
      { connections: 1 },
    ]);
    await until(() => one.sink.losses === 1);
    await one.store.put([seat('a', 'stays'), seat('a', 'new')]);
    await until(async () => (await one.store.count('a')).members === 2);
    const { members } = await one.store.list('a', undefined, 9);
    expect(members.map(({ id, connections }) => `${id} ${connections}`).sort()).toEqual([
      'new 1',
      'stays 1',
    ]);
    await until(() => sink.events.length === 6);
    expect(toldBy(sink.events).filter((text) => text.endsWith('stays'))).toEqual(['join stays']);
    expect(toldBy(sink.events).at(-1)).toBe('leave gone');
  });

  it('keeps one small row for each instance, however often it beats', async () => {
    // The waker's statement lasts two seconds, and the server keeps what is as new.
    const one = await open(database.url, { waker: false });
    await one.store.put([seat('a', 'ann')]);
    const sizes = async (): Promise<{ heap: string; index: string }> => {
      const { rows } = await database.client.query(
        `select pg_relation_size('sse.instance') as heap, pg_relation_size('sse.instance_pkey') as index`,
      );
      return rows[0];
    };
    // Any other snapshot makes the server keep rows for a while, so that one round may grow.
    await until(async () => {
      const { heap } = await sizes();
      await database.client.query(`do $$ begin
        for beat in 1 .. 1000 loop
          perform sse.beat(i.id, false, '{}', 2000, 0) from sse.instance i;
          commit;
        end loop;
      end $$`);
      return (await sizes()).heap === heap;
    });
    expect((await sizes()).index).toBe('16384');
    expect(await one.store.count('a')).toEqual({ members: 1, connections: 1 });
  });

  it('lets a clock that is set, and an outage of the server, kill nobody', async () => {
    const [one, two] = [await open(), await open()];
    const sink = one.record('a');
    await Promise.all([one.store.put([seat('a', 'ann')]), two.store.put([seat('a', 'bob')])]);
    for (const hour of ['1 hour', '-1 hour']) {
      // As if the clock were set, or nobody could beat for so long.
      await database.client.query(`update sse.instance set beat = beat - interval '${hour}'`);
      const { rows } = await database.client.query(
        'select sum(beats)::int as beats from sse.instance',
      );
      await until(async () => {
        const now = await database.client.query(
          'select sum(beats)::int as beats from sse.instance',
        );
        return now.rows[0].beats > rows[0].beats + 3;
      });
    }
    expect([one.sink.losses, two.sink.losses]).toEqual([0, 0]);
    expect(toldBy(sink.events).sort()).toEqual(['join ann', 'join bob']);
  });

  it('lets nobody tell of joins by SQL who may publish', async () => {
    const { store, record: recordIn } = await open();
    const sink = recordIn('a');
    const name = `publisher_${process.pid}`;
    await database.client.query(
      `create role ${name}; grant usage on schema sse to ${name}; set role ${name}`,
    );
    const row = `'a', '{}', 'sse:join'`;
    const put = `select sse.put_seats('00000000-0000-4000-8000-000000000000', '{}', '[]')`;
    const refused = [
      [`select sse.publish(${row})`, 'does not begin with "sse:"'],
      [
        `select sse.publish_all('{a}', '{x}', '{sse:leave}', '{null}', '{null}', '{false}')`,
        'does not begin with "sse:"',
      ],
      [`insert into sse.event (topic, data, event) values (${row})`, 'permission denied'],
      [`select sse.publish('sse:control', '{}')`, 'begins with "sse:"'],
      [`select sse.command('{}', false)`, 'permission denied'],
      [put, 'permission denied'],
      [`select sse.presence('a', '', 10)`, 'permission denied'],
      ['select from sse.seat', 'permission denied'],
    ];
    try {
      for (const [sql, why] of refused) {
        expect(await message(database.client.query(sql!))).toContain(why);
      }
    } finally {
      await database.client.query(`reset role; drop owned by ${name}; drop role ${name}`);
    }
    for (const type of ['sse:reset', 'sse:joined', 'sse:join\n']) {
      const sql = 'insert into sse.event (topic, data, event) values ($1, $2, $3)';
      expect(await message(database.client.query(sql, ['a', 'x', type]))).toContain(
        'event_can_be_sent',
      );
    }
    await store.put([seat('a', 'ann')]);
    await until(() => sink.events.length === 1);
  });

  it('needs no more than the privileges that the documentation lists', async () => {
    const owner = await open();
    const name = `reader_${process.pid}`;
    await database.client.query(`create role ${name} login password 'secret';
      grant usage on schema sse to ${name}; grant select on sse.event, sse.meta to ${name};
      grant execute on function sse.beat, sse.put_seats, sse.remove_seats, sse.presence, sse.presence_marks to ${name}`);
    try {
      const url = new URL(database.url);
      url.username = name;
      url.password = 'secret';
      const reader = await open(url.href);
      let changes = 0;
      reader.store.watch('a', () => changes++);
      await owner.store.put([seat('a', 'ann')]);
      await owner.instance.stop();
      await reader.store.put([seat('a', 'bob')]);
      await until(async () => (await reader.store.count('a')).members === 1);
      await until(() => changes > 1);
      await reader.instance.stop();
    } finally {
      await database.client.query(`drop owned by ${name}; drop role ${name}`);
    }
  });
});

describe('Presence in a database of another encoding', () => {
  let latin: TestDatabase | undefined;
  afterEach(() => latin?.drop());

  it('takes any client, and leaves out a channel whose name it cannot hold', async () => {
    latin = await createDatabase('LATIN1');
    const { store, instance, record: recordIn } = await open(latin.url);
    const sink = recordIn('a');
    let changes = 0;
    store.watch('\u{1F600}', () => changes++);
    await store.put([
      seat('\u{1F600}', 'ann'),
      seat('a', '\u{1F600}', { info: '{"name":"\u{1F600}"}' }),
      seat('a', 'bob'),
    ]);
    const { members } = await store.list('a', undefined, 10);
    expect(members.map(({ id }) => id).sort()).toEqual(['bob', '\u{1F600}']);
    expect(members.find(({ id }) => id !== 'bob')!.info).toBe('{"name":"\u{1F600}"}');
    expect(await store.list('\u{1F600}', undefined, 10)).toEqual({ members: [], connections: 0 });
    expect(await store.count('\u{1F600}')).toEqual({ members: 0, connections: 0 });
    await until(() => sink.events.length === 2 && changes > 0);
    expect(JSON.parse(sink.data[0]!)).toEqual({
      channel: 'a',
      id: '\u{1F600}',
      info: { name: '\u{1F600}' },
    });
    expect(instance.logger.errors).toEqual([expect.stringContaining('cannot be kept')]);
    await instance.stop();
  });
});
