import { afterEach, describe, expect, it } from '@jest/globals';
import type {
  ChannelSink,
  ChannelSource,
  HistoryEvent,
  HistoryPage,
} from '../../lib/channel/source.js';
import type { DeliveryOptions } from '../../lib/delivery/delivery.js';
import type { DialectFeed } from '../../lib/delivery/dialect.js';
import { LatestByKey } from '../../lib/delivery/latest-by-key.js';
import type { LatestOnly, Overflow } from '../../lib/delivery/overflow.js';
import { until } from '../support/until.js';
import { ClientRig, type RigClient } from './client-rig.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A source of numbered events: 1, 2, 3 … in each channel. With a history, it keeps them all. */
class NumberedSource implements ChannelSource {
  readonly written = new Map<string, HistoryEvent[]>();
  /** Holds the pages of the history back. */
  gate: Promise<void> = Promise.resolve();
  dialect: DialectFeed['dialect'];
  private readonly sinks = new Map<string, ChannelSink>();

  constructor(
    private readonly hasHistory: boolean,
    private readonly filler: number,
  ) {}

  open(name: string, sink: ChannelSink): DialectFeed {
    this.sinks.set(name, sink);
    const written = this.of(name);
    sink.live(`${written.length}`);
    const history = {
      compare: (a: string, b: string) => Number(a) - Number(b),
      read: async (position: string | undefined, limit: number): Promise<HistoryPage> => {
        await this.gate;
        const after = Number(position ?? 0);
        const events = written.slice(after, after + limit);
        const ended = after > 0 && written[after - 1]!.end === true;
        return { events, last: after + events.length === written.length, ended };
      },
    };
    const { dialect } = this;
    return { close: () => undefined, dialect, ...(this.hasHistory && { history }) };
  }

  write(channel: string, count: number, end = false): void {
    for (let left = count; left > 0; left--) {
      const written = this.of(channel);
      const number = written.length + 1;
      const data = `${channel}${number} ${'x'.repeat(this.filler)}`;
      const event = { position: `${number}`, data, end: end && left === 1 };
      written.push(event);
      this.sinks.get(channel)?.append(event);
    }
  }

  private of(name: string): HistoryEvent[] {
    if (!this.written.has(name)) {
      this.written.set(name, []);
    }
    return this.written.get(name)!;
  }
}

const FORMS = {
  'of one channel': { names: ['a'], hasOwnIds: false },
  'of channels in one sequence': { names: ['a', 'b'], hasOwnIds: false },
  'of channels each for itself': { names: ['a', 'b'], hasOwnIds: true },
};
type Form = keyof typeof FORMS;
const ALL = Object.keys(FORMS) as Form[];

const rigs: ClientRig[] = [];
afterEach(() => rigs.splice(0).forEach((rig) => rig.close()));

interface Setting {
  readonly hasHistory?: boolean;
  readonly filler?: number;
  readonly retain?: Partial<DeliveryOptions['retain']>;
}

function start(form: Form, { hasHistory = false, filler = 0, retain }: Setting = {}) {
  const rig = new ClientRig({
    retain: { events: 10_000, bytes: Infinity, age: Infinity, ...retain },
    readyTimeout: 20,
  });
  rigs.push(rig);
  const source = new NumberedSource(hasHistory, filler);
  const { names, hasOwnIds } = FORMS[form];
  const connect = (lastEventId?: string, overflow?: Overflow) =>
    rig.connect(
      names.map((name) => ({ source, name, hasOwnIds })),
      { lastEventId, overflow },
    );
  const write = (count: number, end = false) =>
    names.forEach((name) => source.write(name, count, end));
  return { rig, source, names, connect, write };
}

/** The events of a channel that a client has received, by number; resets as their reason. */
const got = ({ events }: RigClient, channel: string) =>
  events.flatMap(({ type, data }): (number | string)[] => {
    if (type === 'sse:reset') {
      const reset = JSON.parse(data) as { channel: string; reason: string };
      return reset.channel === channel ? [reset.reason] : [];
    }
    return data.startsWith(channel) ? [Number.parseInt(data.slice(1), 10)] : [];
  });

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Takes what is written piece by piece: each time the client takes it, the socket is full again. */
async function readSlowly(client: RigClient, isDone: () => boolean): Promise<number[]> {
  const pieces: number[] = [];
  for (let pauses = 0; !isDone() && pauses < 500; pauses++) {
    const before = client.events.length;
    client.readOn();
    client.stall();
    pieces.push(client.events.length - before);
    await turn();
  }
  client.readOn();
  return pieces;
}

describe.each(ALL)('A client %s', (form) => {
  it('gets each of many events of one turn once and in order, without waiting for another', async () => {
    const { connect, write, names } = start(form, { filler: 1_000 });
    const [first, second] = [await connect(), await connect()];
    write(300);
    await until(() => second.events.length === 300 * names.length);
    for (const name of names) {
      expect(got(first, name)).toEqual(range(1, 300));
      expect(got(second, name)).toEqual(range(1, 300));
    }
    write(1);
    await until(() => second.events.length === 301 * names.length);
  });

  it('that reads piece by piece gets a block at a time, and all of it once and in order', async () => {
    const { connect, write, names } = start(form, { filler: 1_000 });
    const client = await connect();
    client.stall();
    write(200);
    await turn();
    const isDone = () => names.every((name) => got(client, name).at(-1) === 200);
    const pieces = await readSlowly(client, isDone);
    names.forEach((name) => expect(got(client, name)).toEqual(range(1, 200)));
    expect(Math.max(...pieces)).toBeLessThan(40);
    expect(client.isClosed).toBe(false);
  });

  it('that does not read, or has read all, takes no turns of the event loop', async () => {
    const { connect, write, names } = start(form, { filler: 1_000 });
    const [slow, quick] = [await connect(), await connect()];
    slow.stall();
    write(300);
    await until(() => quick.events.length === 300 * names.length);
    await turn();
    expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
    slow.readOn();
    await until(() => slow.events.length === 300 * names.length);
  });

  it('that has much to read lets the others have theirs after some blocks', async () => {
    const { connect, write, names } = start(form, { filler: 1_000 });
    const [first, second] = [await connect(), await connect()];
    let before = 0;
    second.onEvent = () => (before ||= first.events.length);
    write(1_000);
    await until(() => second.events.length === 1_000 * names.length);
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(5 * 33 * names.length);
  });

  it('has what it reads, lacks and has been sent counted', async () => {
    const { connect, write, names, rig } = start(form, {
      hasHistory: true,
      filler: 1_000,
      retain: { events: 2 },
    });
    const client = await connect();
    write(1);
    await until(() => client.events.length === names.length);
    const [connection] = [...rig.delivery.connections][0]!;
    expect([connection.channels, connection.backlog]).toEqual([names, 0]);
    client.stall();
    write(50);
    expect(connection.backlog).toBe(50 * names.length);
    client.readOn();
    await until(() => client.events.length === 51 * names.length);
    const returned = await connect(client.events[0]!.id);
    await until(() => got(returned, 'a').at(-1) === 51);
    await turn();
    const { sentEvents } = rig.delivery.tally;
    expect(sentEvents).toBe(client.events.length + returned.events.length);
  });

  it.each([true, false])(
    'that returns with any id gets what follows it; with a history: %s',
    async (hasHistory) => {
      const { connect, write, names, rig } = start(form, {
        hasHistory,
        retain: hasHistory ? { events: 5 } : {},
      });
      const client = await connect();
      const opening = client.lastEventId!;
      for (let round = 0; round < 10; round++) {
        write(2);
        await turn();
      }
      await until(() => client.events.length === 20 * names.length);
      const returns = [opening, ...client.events.map(({ id }) => id!)];
      for (const [index, id] of returns.entries()) {
        const returned = await connect(id);
        const before = client.events.slice(0, index);
        // An id of its own channel alone says nothing of the others: these go on at their heads.
        const only = FORMS[form].hasOwnIds && before.at(-1)?.data[0];
        for (const name of names) {
          const seen = before.filter(({ data }) => data.startsWith(name)).length;
          const expected = only && only !== name ? [] : range(seen + 1, 20);
          await until(() => got(returned, name).length >= expected.length);
          await turn();
          expect([index, name, got(returned, name)]).toEqual([index, name, expected]);
        }
        returned.cut();
      }
      client.cut();
      expect([...rig.delivery.channels.channels].map(({ readers }) => readers.size)).toEqual(
        names.map(() => 0),
      );
    },
  );

  it.each([false, true])(
    'ends with the last of its runs, and gets nothing of the next one; stalled: %s',
    async (isStalled) => {
      const { connect, source, names } = start(form);
      const client = await connect();
      if (isStalled) {
        client.stall();
        source.write('a', 1);
        await turn();
      } else {
        source.write('a', 1);
      }
      source.write('a', 2, true);
      source.write('a', 2);
      await turn();
      if (names.length > 1) {
        expect(client.response.writableEnded).toBe(false);
        source.write('b', 2);
        await turn();
        source.write('b', 1, true);
        source.write('b', 1);
      }
      client.readOn();
      await until(() => client.isClosed);
      names.forEach((name) => expect(got(client, name)).toEqual([1, 2, 3]));
    },
  );

  it('that reads the ends of its runs in the history ends there', async () => {
    const { connect, names, write } = start(form, {
      hasHistory: true,
      retain: { events: 2 },
    });
    write(1);
    const client = await connect();
    write(1);
    await until(() => client.events.length === names.length);
    const id = client.lastEventId;
    client.cut();
    write(300, true);
    write(3);
    const isOwn = FORMS[form].hasOwnIds;
    const returned = await connect(isOwn ? 'earliest' : id);
    await until(() => returned.isClosed);
    names.forEach((name) => expect(got(returned, name)).toEqual(range(isOwn ? 1 : 3, 302)));
  });

  it('that has received the ends of its runs ends, when the history tells so late', async () => {
    const { connect, source, names, write } = start(form, {
      hasHistory: true,
      retain: { events: 1 },
    });
    write(2, true);
    write(3);
    let release!: () => void;
    source.gate = new Promise((resolve) => (release = resolve));
    const client = await connect('2');
    expect(client.wasTurnedAway).toBe(false);
    release();
    await until(() => client.isClosed);
    names.forEach((name) => expect(got(client, name)).toEqual([]));
  });

  it('reads a history piece by piece, and goes on with the log', async () => {
    const { connect, write, names } = start(form, {
      hasHistory: true,
      filler: 1_000,
      retain: { events: 2 },
    });
    write(300);
    const client = await connect('earliest');
    client.stall();
    await turn();
    write(50);
    const isDone = () => names.every((name) => got(client, name).at(-1) === 350);
    const pieces = await readSlowly(client, isDone);
    names.forEach((name) => expect(got(client, name)).toEqual(range(1, 350)));
    expect(Math.max(...pieces)).toBeLessThan(40);
  });

  const TOO_SLOW = { filler: 1_000, retain: { events: 2, bytes: 5_000 } };

  it('that reads too slowly is told so, and goes on at the head', async () => {
    const { connect, write, names } = start(form, TOO_SLOW);
    const client = await connect();
    client.stall();
    write(1);
    await turn();
    write(300);
    client.readOn();
    await until(
      () => client.events.filter(({ type }) => type === 'sse:reset').length === names.length,
    );
    write(1);
    await until(() => names.every((name) => got(client, name).at(-1) === 302));
    // The first write fills the socket: it may be that of another channel.
    for (const name of names) {
      expect(got(client, name).filter((each) => each !== 1)).toEqual(['slow-consumer', 302]);
    }
    expect(client.isClosed).toBe(false);
  });

  it('that reads too slowly is sent away where the endpoint says so, with nothing behind the gap', async () => {
    const { connect, write, names, rig } = start(form, TOO_SLOW);
    const client = await connect(undefined, 'disconnect');
    client.stall();
    write(1);
    await turn();
    write(300);
    client.readOn();
    await until(() => client.isClosed);
    expect(client.events.map(({ type }) => type)).not.toContain('sse:reset');
    names.forEach((name) => expect(got(client, name).filter((each) => each !== 1)).toEqual([]));
    expect(rig.logged).toEqual([]);
    expect(rig.delivery.connections.size).toBe(0);
    expect(client.response.writableEnded).toBe(false);
  });

  it('is told of an unknown position, and not sent away, where slow clients are', async () => {
    const { connect, write, names } = start(form);
    write(2);
    const client = await connect('nonsense', 'disconnect');
    write(1);
    await until(() => names.every((name) => got(client, name).length === 2));
    names.forEach((name) => expect(got(client, name)).toEqual(['unknown-position', 3]));
    expect(client.isClosed).toBe(false);
  });
});

describe('One channel with a dialect', () => {
  it('ends with what stands for a reset', async () => {
    const { connect, source, write } = start('of one channel');
    source.dialect = { headers: {}, reset: ['over'] };
    write(2);
    const client = await connect('nonsense');
    write(1);
    await until(() => client.isClosed);
    expect(client.data).toEqual(['over']);
  });
});

describe('Channels each for itself', () => {
  it.each(['reset', { latest: ({ data }: { data: unknown }) => String(data) }] as const)(
    'get nothing after the end of their run, however often the client lags; overflow: %j',
    async (overflow) => {
      const { connect, source } = start('of channels each for itself');
      const client = await connect(undefined, overflow as Overflow);
      source.write('a', 1, true);
      await until(() => client.events.length === 1);
      for (let number = 1; number <= 3; number++) {
        client.stall();
        source.write('b', 1);
        await turn();
        source.write('a', 1);
        client.readOn();
        await until(() => got(client, 'b').length === number);
        await turn();
      }
      expect(got(client, 'a')).toEqual([1]);
      source.write('b', 1, true);
      await until(() => client.isClosed);
      expect(got(client, 'b')).toEqual([1, 2, 3, 4]);
    },
  );

  it('take turns, so that many events of one do not keep the others back', async () => {
    const { connect, source } = start('of channels each for itself', { filler: 1_000 });
    const client = await connect();
    client.stall();
    source.write('a', 1);
    await turn();
    source.write('a', 300);
    source.write('b', 100);
    client.readOn();
    client.stall();
    await turn();
    // The channels of each piece that the client takes.
    const order: string[] = [];
    for (let pauses = 0; pauses < 8; pauses++) {
      const before = client.events.length;
      client.readOn();
      client.stall();
      order.push([...new Set(client.events.slice(before).map(({ data }) => data[0]))].join());
      await turn();
    }
    expect(order.filter((each) => each === 'b').length).toBeGreaterThanOrEqual(3);
    client.readOn();
    await until(() => got(client, 'a').length === 301);
    expect(got(client, 'a')).toEqual(range(1, 301));
    expect(got(client, 'b')).toEqual(range(1, 100));
  });
});

describe('The newest event of each key', () => {
  const parity: Overflow = {
    latest: ({ data }) => `${Number.parseInt(String(data).slice(1), 10) % 3}`,
  };

  it('is not all that a client gets which returned to events from before: it gets each of these', async () => {
    const { connect, write } = start('of one channel', { filler: 1_000 });
    const first = await connect();
    write(300);
    await until(() => first.events.length === 300);
    const client = await connect(first.events[0]!.id, parity);
    client.stall();
    await turn();
    await readSlowly(client, () => got(client, 'a').at(-1) === 300);
    expect(got(client, 'a')).toEqual(range(2, 300));
  });

  it.each(['of one channel', 'of channels each for itself'] as const)(
    'comes to a client %s that has lagged, up to the end of the run and not beyond',
    async (form) => {
      const { connect, write, names, rig } = start(form);
      const client = await connect(undefined, parity);
      client.stall();
      write(1);
      await turn();
      write(20);
      client.readOn();
      await until(() => names.every((name) => got(client, name).at(-1) === 21));
      await turn();
      for (const name of names) {
        const numbers = got(client, name).filter((number) => number !== 1);
        expect(numbers).toEqual([19, 20, 21]);
      }
      expect(rig.delivery.tally.sentEvents).toBe(client.events.length);
      client.stall();
      write(1);
      await turn();
      write(10, true);
      write(10);
      client.readOn();
      await until(() => client.isClosed);
      for (const name of names) {
        expect(got(client, name).at(-1)).toBe(32);
        expect(got(client, name)).toEqual(
          got(client, name).toSorted((a, b) => Number(a) - Number(b)),
        );
      }
    },
  );

  it.each(['of one channel', 'of channels each for itself'] as const)(
    'is forgotten once the last client %s has left that wants it',
    async (form) => {
      const { connect, write, rig } = start(form);
      const client = await connect(undefined, parity);
      client.stall();
      write(1);
      await turn();
      client.cut();
      for (const channel of rig.delivery.channels.channels) {
        const anew = LatestByKey.acquire(channel, (parity as LatestOnly).latest);
        expect([channel.log.head, anew.after(0), anew.after(1)]).toEqual([1, undefined, []]);
      }
    },
  );
});
