import { afterEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Channel } from '../../lib/channel/channel.js';
import { slowestOf } from '../../lib/channel/reader.js';
import { ChannelList, type ChannelWish } from '../../lib/inspector/channel-list.js';
import { ChannelRates } from '../../lib/inspector/channel-rates.js';
import { ConnectionList, type ConnectionWish } from '../../lib/inspector/connection-list.js';
import { PacedWork } from '../../lib/inspector/paced-work.js';
import { sorted } from '../../lib/inspector/sorted.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { ClientRig } from '../delivery/client-rig.js';
import { holds } from '../support/property.js';
import { until } from '../support/until.js';

const MANY = 10_000;

let rig: ClientRig | undefined;

afterEach(() => rig?.close());

function startRig(): { rig: ClientRig; broker: MemoryBroker } {
  const started = new ClientRig({ maxChannels: MANY });
  rig = started;
  return { rig: started, broker: new MemoryBroker(started.delivery.channels) };
}

/** All rows, page by page. */
async function all<Row>(
  page: (offset: number, limit: number) => Promise<{ total: number; rows: readonly Row[] }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const { total, rows: more } = await page(rows.length, 200);
    rows.push(...more);
    if (more.length === 0) {
      expect(rows.length).toBe(total);
      return rows;
    }
  }
}

test('sorting in slices is what sorting is', () =>
  holds(
    fc.asyncProperty(
      fc.array(fc.record({ key: fc.integer({ min: 0, max: 50 }), place: fc.nat() }), {
        maxLength: 1_000,
        size: 'max',
      }),
      async (members) => {
        const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
        expect(await sorted(members, compare)).toEqual(members.toSorted(compare));
      },
    ),
    { quick: 50, soak: 2_000 },
  ));

test('work is done one piece at a time, and refused where too much waits', async () => {
  const work = new PacedWork();
  let running = 0;
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const pieces = Array.from({ length: 40 }, () =>
    work.do(async () => {
      expect(++running).toBe(1);
      await gate;
      running--;
      return 'done';
    }),
  );
  open();
  const settled = await Promise.allSettled(pieces);
  expect(settled.slice(0, 32).every(({ status }) => status === 'fulfilled')).toBe(true);
  expect(settled.slice(32).map((each) => 'reason' in each && each.reason.getStatus())).toEqual(
    Array.from({ length: 8 }, () => 503),
  );
  expect(await work.do(() => Promise.resolve('again'))).toBe('again');
});

describe('10,000 channels', () => {
  test('are sorted, filtered and paged as a model does it', async () => {
    const {
      rig: { delivery },
      broker,
    } = startRig();
    const rates = new ChannelRates();
    // Names in no order, some of them not of ASCII; numbers with many ties.
    const names = Array.from({ length: MANY }, (_, n) => `${(n * 7_919) % MANY}:${'aßŽ😀'[n % 4]}`);
    for (const [n, name] of names.entries()) {
      for (let event = 0; event <= n % 5; event++) {
        await broker.publish(name, { data: 'x' });
      }
    }
    const list = new ChannelList(delivery, rates, new PacedWork());
    const channels: Channel[] = [...delivery.channels.channels];
    const byName = channels.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const model: Record<Exclude<ChannelWish['sort'], 'rate'>, (channel: Channel) => number> = {
      name: () => 0,
      readers: ({ readers }) => readers.size,
      events: ({ log }) => log.size,
      lag: ({ places, log: { head } }) => head - slowestOf(places, head),
    };
    for (const [sort, numberOf] of Object.entries(model)) {
      for (const filter of [undefined, 'ß', '99', 'NONE']) {
        const expected = byName
          .toSorted((a, b) => numberOf(b) - numberOf(a))
          .map(({ name }) => name)
          .filter((name) => name.toLowerCase().includes((filter ?? '').toLowerCase()));
        const wish = { filter, sort: sort as ChannelWish['sort'] };
        const rows = await all((offset, limit) => list.page({ ...wish, offset, limit }));
        expect(rows.map(({ name }) => name)).toEqual(expected);
      }
    }
    expect(await list.page({ filter: undefined, sort: 'name', offset: 1e6, limit: 1 })).toEqual({
      total: MANY,
      rows: [],
    });
  }, 120_000);

  test('show their numbers', async () => {
    const {
      rig: { delivery, connect: _ },
      broker,
    } = startRig();
    const client = await rig!.connect([{ source: broker, name: 'slow' }]);
    const other = await rig!.connect([{ source: broker, name: 'slow' }]);
    client.stall();
    const ids: string[] = [];
    for (let event = 0; event < 4; event++) {
      ids.push(await broker.publish('slow', { data: 'x'.repeat(10) }));
      // The client takes no more after its first block.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const list = new ChannelList(delivery, new ChannelRates(), new PacedWork());
    const { rows } = await list.named('slow');
    expect(rows).toEqual([
      {
        name: 'slow',
        source: 'memory',
        readers: 2,
        slow: 1,
        events: 4,
        bytes: expect.any(Number) as never,
        last: ids.at(-1)!,
        received: 4,
        rate: 0,
        lag: 3,
      },
    ]);
    expect(other.data.length).toBe(4);
    expect((await list.named('none')).rows).toEqual([]);
  });
});

test('10,000 connections are sorted, filtered and paged as a model does it', async () => {
  const { rig: started, broker } = startRig();
  const { connections } = started.delivery;
  let stalled = 0;
  for (let n = 0; n < MANY; n++) {
    const counted = { id: `client ${n % 100}`, info: JSON.stringify({ secret: n }) };
    const names = n % 10 === 0 ? ['even', 'news'] : ['news'];
    const requests = names.map((name) => ({ source: broker, name }));
    const client = await started.connect(requests, { counted });
    if (n % 1_000 === 7) {
      client.stall();
      // Each of them begins to lag at a time of its own, and has a backlog of its own.
      await broker.publish('news', { data: 'x' });
      stalled++;
      await until(() => connections.slow.size === stalled);
    }
  }
  const entries = [...connections];
  expect(connections.slow.size).toBe(10);
  const list = new ConnectionList(started.delivery, false, new PacedWork());
  const model: Record<ConnectionWish['sort'], (entry: (typeof entries)[0]) => number> = {
    oldest: () => 0,
    newest: ([{ number }]) => number,
    // The longest ago first.
    lag: ([{ blockedSince }]) => (blockedSince === 0 ? -Infinity : -blockedSince),
    backlog: ([{ backlog }]) => backlog,
  };
  for (const [sort, numberOf] of Object.entries(model)) {
    for (const [channel, client] of [
      [undefined, undefined],
      ['even', undefined],
      ['news', 'client 7'],
      ['even', 'client 7'],
    ]) {
      const expected = entries
        .toSorted((a, b) => (numberOf(b) === numberOf(a) ? 0 : numberOf(b) - numberOf(a)))
        .filter(
          ([connection, counted]) =>
            (channel === undefined || connection.channels.includes(channel)) &&
            (client === undefined || (counted as { id: string }).id === client),
        )
        .map(([connection, counted]) => connections.views.of(connection, counted).id);
      const wish = { channel, client, sort: sort as ConnectionWish['sort'] };
      const rows = await all((offset, limit) => list.page({ ...wish, offset, limit }));
      expect(rows.map(({ id }) => id)).toEqual(expected);
      expect(rows.filter((row) => 'info' in row)).toEqual([]);
    }
  }
  const shown = new ConnectionList(started.delivery, true, new PacedWork());
  const [row] = (
    await shown.page({
      channel: undefined,
      client: undefined,
      sort: 'backlog',
      offset: 0,
      limit: 1,
    })
  ).rows;
  expect(row).toMatchObject({ info: { secret: 7 }, client: 'client 7', channels: ['news'] });
  expect(row!.backlog).toBeGreaterThan(0);
}, 120_000);
