import type pg from 'pg';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { connect, stopAll } from './event-table-rig.js';
import { faultsOf, NO_FAULTS, range } from './numbered-events.js';
import { replicated, startStandbyPair } from './standby-pair.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeApps();
  await stopAll();
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** The servers of a test, and what the applications connect to. */
async function startPair(settings: Record<string, string>) {
  const pair = await startStandbyPair(settings);
  cleanUps.push(() => pair.stop());
  return pair;
}

/** Whether the server has ended its recovery. */
async function isWritable(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ writable: boolean }>(
    'select not pg_is_in_recovery() as writable',
  );
  return rows[0]!.writable;
}

/** Writes numbers as events, of which number 40 has an id of its own. */
async function write(url: string, from: number, to: number): Promise<void> {
  const client = await connect(url);
  for (const number of range(from, to)) {
    const id = number === 40 ? 'forty' : null;
    await client.query(`select sse.publish('news', $1, null, $2)`, [String(number), id]);
  }
  await client.end();
}

const start = (url: string) =>
  startApp({
    controllers: [NewsController],
    options: {
      postgres: url,
      broker: 'event-table',
      eventTable: { install: true },
      failFast: true,
    },
  });

const numbersOf = ({ events }: SseTestClient): string[] =>
  events.filter(({ type }) => type === 'message').map(({ data }) => data);

const resetsOf = ({ events }: SseTestClient): string[] =>
  events.filter(({ type }) => type === 'sse:reset').map(({ data }) => data);

const FAILOVER = JSON.stringify({ channel: 'news', reason: 'failover' });

/** What becomes of the 30 events that come after the first 50. */
const SCENARIOS = {
  'a standby is promoted that lacks the last events': { kept: 50, settings: {} },
  'a standby is promoted that has every event': { kept: 80, settings: {} },
  'the server is restored to a point before the last events': {
    kept: 50,
    settings: { recovery_target_name: 'before', recovery_target_action: 'promote' },
  },
};

describe('When the database server moves to another timeline', () => {
  it.each(Object.entries(SCENARIOS))(
    '%s: each client gets one reset, and then every event written from there on',
    async (_, { kept, settings }) => {
      const isRestored = 'recovery_target_name' in settings;
      const { primary, link, standby, proxy } = await startPair(settings);
      const apps = [await start(proxy.url(primary.url)), await start(proxy.url(primary.url))];
      const clients = await Promise.all(
        [...apps, ...apps].map((app) => app.connect('/news', { lastEventId: 'earliest' })),
      );
      await write(primary.url, 0, 50);
      await replicated(primary.url);
      const admin = await connect(standby.url);
      if (isRestored) {
        await (await connect(primary.url)).query(`select pg_create_restore_point('before')`);
      } else if (kept === 50) {
        link.refuse();
        link.cut();
      }
      await write(primary.url, 50, 80);
      await until(() => clients.every((client) => numbersOf(client).length === 80));
      if (kept === 80) await replicated(primary.url);
      if (isRestored) await until(() => isWritable(admin));

      await primary.killServer();
      proxy.redirect(standby.url);
      if (!isRestored) {
        // At first the applications reach a server that only reads.
        await expect(apps[0]!.sse.send('news', 'nowhere')).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringContaining('Connect to the primary'),
        });
      }
      proxy.refuse();
      proxy.cut();
      const { rows } = await admin.query('select count(*)::int as count from sse.event');
      expect(rows).toEqual([{ count: kept }]);
      if (!isRestored) await admin.query('select pg_promote()');
      // What others write before the applications are back is covered by the reset.
      await write(standby.url, 80, 100);
      proxy.accept();
      await until(() => clients.every((client) => resetsOf(client).length > 0));
      await write(standby.url, 100, 149);
      const last = await apps[0]!.sse.send('news', '149');
      expect(last).toMatch(/^2\.\d+$/);

      for (const client of clients) {
        await until(() => numbersOf(client).at(-1) === '149');
        const expected = [...range(0, 80), ...range(100, 150)];
        expect(faultsOf(numbersOf(client), expected)).toEqual(NO_FAULTS);
        expect(resetsOf(client)).toEqual([FAILOVER]);
        expect(client.events.findIndex(({ type }) => type === 'sse:reset')).toBe(80);
      }

      // Positions of the old timeline, whether or not their event has survived.
      const late = await start(proxy.url(primary.url));
      const [seen] = clients;
      for (const app of [apps[0]!, late]) {
        for (const number of [30, 79]) {
          const lastEventId = seen!.events[number]!.id;
          const client = await app.connect('/news', { lastEventId });
          expect(await client.next()).toMatchObject({ type: 'sse:reset', data: FAILOVER });
          await client.close();
        }
        // An id of the publisher's own is found wherever its event is.
        const own = await app.connect('/news', { lastEventId: 'forty' });
        const rest = [...range(41, kept), ...range(80, 150)];
        expect((await own.take(rest.length)).map(({ data }) => Number(data))).toEqual(rest);
        // From the reset on, the new timeline is continuous.
        const resumed = await app.connect('/news', { lastEventId: seen!.events[80]!.id });
        expect((await resumed.take(50)).map(({ data }) => Number(data))).toEqual(range(100, 150));
      }
    },
    90_000,
  );
});
