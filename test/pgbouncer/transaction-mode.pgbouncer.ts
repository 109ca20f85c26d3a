import { Controller, Sse } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { Random } from '../channel/random.js';
import { ALL_RECEIVED, compare, recordAll } from '../event-table/all-topics.js';
import {
  connect,
  createInstance,
  record,
  startInstance,
  stopAll,
  type Instance,
} from '../event-table/event-table-rig.js';
import { faultsOf, NO_FAULTS, range, writeNumbers } from '../event-table/numbered-events.js';
import { FUZZ_SQL, writeRandomly, type Written } from '../event-table/random-writers.js';
import { listening } from '../postgres/listen-recording.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { sized } from '../support/soak.js';
import { byHeader, RoomsController } from '../presence/rooms.js';
import { expectByTurns, untilPresent } from '../presence/watched.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startPgBouncer, type PgBouncer } from './pgbouncer.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

@Controller()
class ListenController {
  @Sse('listen')
  @SseChannel('heard', { source: 'postgres' })
  listen() {}
}

/** Fewer connections to the server than there are clients, so that all have to share them. */
const SIZE = 10;

let database: TestDatabase;
let pooler: PgBouncer;
beforeEach(async () => {
  database = await createDatabase();
  pooler = await startPgBouncer(database.url, SIZE);
});
afterEach(async () => {
  await closeApps();
  await stopAll();
  await pooler.stop();
  await database.drop();
});

const POLLING = { listen: false, pollInterval: 50, retainInterval: 200 };

describe('Through PgBouncer in transaction mode,', () => {
  it('LISTEN is refused with the remedy, and a direct connection beside it works', async () => {
    const refused = listening(pooler.url);
    await expect(refused.source.start(true)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/connection pooler \(such as PgBouncer\).*`listenConnection`/),
    });
    await refused.stop();

    const app = await startApp({
      controllers: [ListenController],
      options: { postgres: pooler.url, listenConnection: database.url, failFast: true },
    });
    const client = await app.connect('/listen');
    await until(async () => {
      await app.sse.notify('heard', 'through the pooler');
      return client.events.length > 0;
    });
    expect(client.events[0]).toMatchObject({ data: 'through the pooler' });
  });

  it('the event table is refused with two remedies, and both work', async () => {
    await expect(
      createInstance(pooler.url, { install: true }).table.start(true),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(
        /connection pooler \(such as PgBouncer\).*`listenConnection`.*eventTable: \{ listen: false \}/,
      ),
    });
    const direct = await startInstance(pooler.url, { listenConnection: database.url });
    const polling = await startInstance(pooler.url, POLLING);
    const sinks = [record(direct, 'news'), record(polling, 'news')];
    await direct.table.publish('news', { data: '0' });
    await writeNumbers(pooler.url, 1, 30);
    for (const sink of sinks) {
      await until(() => sink.data.at(-1) === '29');
      expect(faultsOf(sink.data, range(0, 30))).toEqual(NO_FAULTS);
    }
  });

  it(
    "three readers that poll lose nothing, while writers share the pooler's connections",
    async () => {
      const instances: Instance[] = [];
      for (let number = 0; number < 3; number++) {
        instances.push(await startInstance(pooler.url, POLLING));
      }
      const admin = await connect(database.url);
      await admin.query(FUZZ_SQL);
      const recordings = instances.map(recordAll);
      await until(() => recordings.every(({ isLive }) => isLive));
      const seed = Number(process.env['SEED'] ?? Date.now() & 0x7fffffff);
      process.stderr.write(`seed ${seed}\n`);
      const written: Written = { committed: [], rolledBack: [], kinds: {} };
      const end = Date.now() + sized({ quick: 5_000, soak: 60_000 });
      await Promise.all(
        Array.from({ length: 14 }, (_, number) =>
          writeRandomly(
            { url: pooler.url, name: `w${number}`, until: end, random: new Random(seed + number) },
            written,
            instances[number % 3]!.table,
          ),
        ),
      );
      const { rows } = await admin.query<{ data: string }>(
        'select data from sse.event order by id',
      );
      const truth = rows.map(({ data }) => data);
      await until(() => recordings.every(({ seen }) => seen.at(-1)?.data === truth.at(-1)), {
        what: 'the last event on all instances',
      });
      expect(recordings.map((recording) => compare(recording, truth))).toEqual([
        ALL_RECEIVED,
        ALL_RECEIVED,
        ALL_RECEIVED,
      ]);
      // The retention works through it as well.
      await until(() => instances.every(({ table }) => table.stats.disk?.oldest));
      expect(instances.flatMap(({ logger }) => [...logger.warnings, ...logger.errors])).toEqual([]);
      const { rows: backends } = await admin.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
      );
      expect(backends[0]!.count).toBeLessThanOrEqual(SIZE);
      process.stderr.write(
        `event table through PgBouncer: ${truth.length} events of ${JSON.stringify(written.kinds)}\n`,
      );
    },
    sized({ quick: 60_000, soak: 300_000 }),
  );

  it('the event table loses nothing when PgBouncer is killed and started again', async () => {
    const instances = [
      await startInstance(pooler.url, POLLING),
      await startInstance(pooler.url, POLLING),
    ];
    const sinks = instances.map((instance) => record(instance, 'news'));
    const writing = writeNumbers(pooler.url, 0, 400);
    for (const share of [50, 150]) {
      await until(() => sinks.every(({ events }) => events.length > share));
      await pooler.kill();
      await pooler.start();
    }
    await writing;
    for (const sink of sinks) {
      await until(() => sink.data.at(-1) === '399');
      expect(faultsOf(sink.data, range(0, 400))).toEqual(NO_FAULTS);
      expect(sink.resets).toEqual([]);
    }
  });

  it('who is present is known to all instances, and disconnect() reaches them', async () => {
    const start = () =>
      startApp({
        controllers: [RoomsController],
        options: {
          broker: 'event-table',
          postgres: pooler.url,
          eventTable: { ...POLLING, install: true },
          client: byHeader,
          presenceTimeout: 3_000,
          revocation: true,
          failFast: true,
        },
      });
    const [one, other] = [await start(), await start()];
    const as = (app: TestApp, user: string) =>
      app.connect('/announced/a', { headers: { 'x-user': user } });
    const watcher = await one.connect('/rooms/a');
    const anns = [await as(one, 'ann'), await as(other, 'ann')];
    await as(other, 'bob');
    await untilPresent(one.sse, 'a', { ann: 2, bob: 1 });
    // Its seats are not taken for those of a dead instance once their time is over.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await untilPresent(other.sse, 'a', { ann: 2, bob: 1 });
    await one.sse.disconnect({ client: 'ann' });
    await Promise.all(anns.map(({ closed }) => closed));
    await untilPresent(one.sse, 'a', { bob: 1 });
    await one.sse.send('a', 'end');
    await watcher.until(({ data }) => data === 'end');
    await expectByTurns(watcher, { bob: 1 });
  });

  it('send() works within a transaction of a client that goes through PgBouncer', async () => {
    const start = () =>
      startApp({
        controllers: [NewsController],
        options: {
          postgres: pooler.url,
          broker: 'event-table',
          eventTable: { install: true, ...POLLING },
          failFast: true,
        },
      });
    const [one, two] = [await start(), await start()];
    const clients = [await one.connect('/news'), await two.connect('/news')];
    const expected: string[] = [];
    const writers = Array.from({ length: SIZE - 4 }, async (_, writer) => {
      const client = await connect(pooler.url);
      for (let number = 0; number < 20; number++) {
        await client.query('begin');
        await one.sse.send('news', `${writer}-${number}`, { transaction: client });
        const isCommitted = number % 3 !== 0;
        await client.query(isCommitted ? 'commit' : 'rollback');
        if (isCommitted) expected.push(`${writer}-${number}`);
      }
    });
    await Promise.all(writers);
    const last = await two.sse.send('news', 'last');
    expected.push('last');
    for (const client of clients) {
      await until(() => client.events.at(-1)?.data === 'last');
      const data = client.events.map((event) => event.data);
      expect(data.toSorted()).toEqual(expected.toSorted());
      expect(client.events.at(-1)!.id).toBe(last);
    }
    const returned = await two.connect('/news', { lastEventId: clients[0]!.events[10]!.id });
    expect((await returned.take(expected.length - 11)).map(({ data }) => data)).toEqual(
      clients[1]!.events.slice(11).map(({ data }) => data),
    );
  });
});
