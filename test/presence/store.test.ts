import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { PresenceMember, PresenceStore } from '../../lib/channel/presence.js';
import type { SourceEvent } from '../../lib/channel/source.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { instance, stopInstances } from '../redis/instances.js';
import { record, startInstance, stopAll } from '../event-table/event-table-rig.js';
import {
  createDatabase,
  createRedis,
  type TestDatabase,
  type TestRedis,
} from '../support/databases.js';
import { until } from '../support/until.js';
import { RecordingSink, seat, toldBy, type StoreInstance } from './store-rig.js';

interface Subject {
  start?(): Promise<void>;
  stop?(): Promise<void>;
  /** Opens the store once more; all have the same seats, where `isShared`. */
  open(): Promise<StoreInstance>;
  readonly isShared: boolean;
}

let redis: TestRedis;
let database: TestDatabase;
let tests = 0;

const SUBJECTS: Record<string, Subject> = {
  memory: {
    isShared: false,
    async open() {
      const logs = new Map<string, SourceEvent[]>();
      const logOf = (name: string): SourceEvent[] => {
        logs.set(name, logs.get(name) ?? []);
        return logs.get(name)!;
      };
      const touch = (_: unknown, name: string) => ({
        append: (event: SourceEvent) => `${logOf(name).push(event)}`,
      });
      const sink = new RecordingSink();
      const store = new MemoryBroker({ touch } as never).openPresence(sink);
      return { store, sink, events: async (channel) => logOf(channel) };
    },
  },
  redis: {
    isShared: true,
    start: async () => void (redis = await createRedis()),
    stop: () => redis.drop(),
    async open() {
      const { broker, open } = await instance(redis.url, {
        prefix: `${redis.keyPrefix}${tests}:`,
      });
      const sink = new RecordingSink();
      const store = broker.openPresence(sink, { timeout: 3_000 });
      return {
        store,
        sink,
        async events(channel) {
          const recorded = open(channel);
          await until(() => recorded.isLive);
          return recorded.events;
        },
      };
    },
  },
  'the event table': {
    isShared: true,
    start: async () => void (database = await createDatabase()),
    stop: () => database.drop(),
    async open() {
      const schema = `sse_${tests}`;
      const opened = await startInstance(database.url, { schema, pollInterval: 100 });
      const sink = new RecordingSink();
      const store = opened.table.openPresence(sink, { timeout: 3_000 });
      return { store, sink, events: async (channel) => record(opened, channel).events };
    },
  },
};

const ids = (members: readonly PresenceMember[]) => members.map(({ id }) => id);

const all = async (store: PresenceStore, channel: string, limit: number) => {
  const members: PresenceMember[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.list(channel, after, limit);
    members.push(...page.members);
    if (page.members.length < limit) return members;
    after = page.members.at(-1)!.id;
  }
};

describe.each(Object.entries(SUBJECTS))('A presence store in %s', (_name, subject) => {
  beforeAll(() => subject.start?.());
  afterEach(async () => {
    tests++;
    await stopInstances();
    await stopAll();
  });
  afterAll(() => subject.stop?.());

  it('tells each join, leave, first and last connection once, however often a seat is put', async () => {
    const one = await subject.open();
    const { store, sink } = one;
    const events = await one.events('a');
    const ann = seat('a', 'ann', { info: '{"n":1}', connections: 2 });
    for (let i = 0; i < 3; i++) await store.put([ann]);
    expect(await store.list('a', undefined, 10)).toEqual({
      members: [{ id: 'ann', info: '{"n":1}', connections: 2, since: ann.since }],
      connections: 2,
    });
    await store.put([seat('a', 'ann', { info: '{"n":2}', connections: 1 }), seat('a', undefined)]);
    expect(await store.count('a')).toEqual({ members: 1, connections: 2 });
    for (let i = 0; i < 3; i++) await store.put([seat('a', 'ann', { connections: 0 })]);
    expect(await store.list('a', undefined, 10)).toEqual({ members: [], connections: 1 });
    for (let i = 0; i < 3; i++) await store.put([seat('a', undefined, { connections: 0 })]);
    expect(await store.count('a')).toEqual({ members: 0, connections: 0 });
    await store.put([seat('a', undefined, { isAnnounced: false }), seat('b', 'bob')]);
    await until(() => events.length === 2);
    expect(toldBy(events)).toEqual(['join ann {"n":1}', 'leave ann {"n":2}']);
    expect(events.every(({ isPresence }) => isPresence)).toBe(true);
    expect(sink.told.sort()).toEqual(['occupied a', 'occupied a', 'occupied b', 'vacated a']);
  });

  it('puts many seats at once, and lists all members of many once, page by page', async () => {
    const { store } = await subject.open();
    const count = 2_500;
    const seats = Array.from({ length: count }, (_, nth) =>
      seat('many', `client ${nth}`, { isAnnounced: false, info: `${nth}` }),
    );
    await store.put(seats);
    expect(await store.count('many')).toEqual({ members: count, connections: count });
    const members = await all(store, 'many', 1_000);
    expect(new Set(ids(members)).size).toBe(count);
    expect(members).toHaveLength(count);
    // Others leave and come between two pages.
    const first = await store.list('many', undefined, 1_000);
    const [left, last] = [first.members[500]!.id, first.members.at(-1)!.id];
    await store.put([
      seat('many', left, { connections: 0 }),
      seat('many', last, { connections: 0 }),
      seat('many', '0 newcomer'),
    ]);
    const rest = await store.list('many', last, 1_000);
    expect(ids(first.members).filter((id) => ids(rest.members).includes(id))).toEqual([]);
    expect(rest.members).toHaveLength(1_000);
  });

  it('takes any text as the id of a client, and its info as it is', async () => {
    const one = await subject.open();
    const { store } = one;
    const events = await one.events('odd');
    const clients = [
      '__proto__',
      'a\u0000b',
      'line\nbreak\r\u2028',
      ' ',
      'n',
      '"',
      '\\',
      '[',
      '(',
    ].concat([
      '\ud800',
      '\udc00',
      '\u{1F600}',
      'ü',
      '%',
      'x'.repeat(1_024),
      '\u{10FFFF}'.repeat(512),
    ]);
    const infoOf = (id: string) => JSON.stringify({ id, blanks: ' a  b ', text: '\u{1F600}\n' });
    await store.put(clients.map((id) => seat('odd', id, { info: infoOf(id) })));
    const { members, connections } = await store.list('odd', undefined, 100);
    expect(connections).toBe(clients.length);
    expect([...ids(members)].sort()).toEqual([...clients].sort());
    expect(members.every(({ id, info }) => info === infoOf(id))).toBe(true);
    expect(ids(await all(store, 'odd', 2)).sort()).toEqual([...clients].sort());
    await until(() => events.length === clients.length);
    const told = events.map(({ data }) => JSON.parse(data) as { id: string; info: unknown });
    expect(told.map(({ id }) => id).sort()).toEqual([...clients].sort());
    expect(told.every(({ id, info }) => JSON.stringify(info) === infoOf(id))).toBe(true);
    await store.put(clients.map((id) => seat('odd', id, { connections: 0 })));
    expect(await store.count('odd')).toEqual({ members: 0, connections: 0 });
  });

  it('calls back whoever watches a channel', async () => {
    const { store } = await subject.open();
    let calls = 0;
    const unwatch = store.watch('a', () => calls++);
    await until(async () => {
      await store.put([seat('a', 'ann', { connections: 1 + (calls % 2), info: `${calls}` })]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return calls > 1;
    });
    unwatch();
    const before = calls;
    await store.put([seat('a', 'bob')]);
    expect(calls).toBe(before);
  });

  if (!subject.isShared) return;

  it('has a client leave when it has left every instance', async () => {
    const [one, two] = [await subject.open(), await subject.open()];
    const events = await one.events('a');
    await Promise.all([one.store.put([seat('a', 'ann')]), two.store.put([seat('a', 'ann')])]);
    await two.store.put([seat('a', 'ann', { info: '"two"', connections: 2, since: 1 })]);
    expect(await one.store.list('a', undefined, 10)).toEqual({
      members: [{ id: 'ann', info: '"two"', connections: 3, since: 1 }],
      connections: 3,
    });
    // Fewer connections are no news about the client.
    await one.store.put([seat('a', 'ann', { connections: 0 })]);
    expect((await two.store.list('a', undefined, 10)).members).toMatchObject([{ connections: 2 }]);
    await two.store.put([seat('a', 'ann', { connections: 0 })]);
    await until(() => events.length === 2);
    expect(toldBy(events)).toEqual(['join ann', 'leave ann "two"']);
    const told = [...one.sink.told, ...two.sink.told].sort();
    expect(told).toEqual(['occupied a', 'vacated a']);
  });

  it('removes the seats of an instance that ends once its clients have had time to return', async () => {
    const [one, two] = [await subject.open(), await subject.open()];
    const events = await two.events('a');
    await one.store.put([seat('a', 'ann'), seat('a', 'bob'), seat('b', 'tom')]);
    // As long as a busy machine may take to seat bob again.
    await one.store.close(2_000);
    await two.store.put([seat('a', 'bob')]);
    await until(async () => (await two.store.count('a')).connections === 1);
    await until(async () => (await two.store.count('b')).connections === 0);
    await until(() => events.length === 3);
    expect(toldBy(events)).toEqual(['join ann', 'join bob', 'leave ann']);
    expect(two.sink.told).toEqual(['vacated b']);
  });
});
