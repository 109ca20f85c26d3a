import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { appendOrSkip } from '../../lib/channel/event-check.js';
import { SseError } from '../../lib/channel/sse-error.js';
import type { ChannelFeed, ChannelSink, SourceEvent } from '../../lib/channel/source.js';
import { ClientRig, type RigClient } from '../delivery/client-rig.js';

type Read = (position: string | undefined, limit: number, signal?: AbortSignal) => unknown;

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    position: `${from + index}`,
    data: `${from + index}`,
  }));

/** A source that numbers its events, and answers for its history as a test has it. */
class HostileSource {
  sink!: ChannelSink;
  reads = 0;
  underWay = 0;
  mostUnderWay = 0;
  written = 0;
  hooks: Partial<ChannelFeed> = {};
  compare: (a: string, b: string) => unknown = (a, b) => Number(a) - Number(b);
  read: Read = (position, limit) => this.page(position, limit);

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    this.sink = sink;
    sink.live(`${this.written}`);
    return {
      history: {
        compare: (a, b) => this.compare(a, b) as number,
        read: (position, limit, signal) => {
          this.reads++;
          return this.read(position, limit, signal) as Promise<never>;
        },
      },
      close: () => undefined,
      ...this.hooks,
    };
  }

  /** What a well-behaved source answers. */
  page(position: string | undefined, limit: number) {
    const after = Number(position ?? 0);
    const events = numbered(after + 1, Math.min(this.written, after + limit));
    return Promise.resolve({ events, last: after + events.length >= this.written });
  }

  write(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.written++;
      this.sink?.append({ position: `${this.written}`, data: `${this.written}` });
    }
  }
}

const reasonsOf = ({ events }: RigClient) =>
  events.flatMap(({ type, data }) =>
    type === 'sse:reset' ? [(JSON.parse(data) as { reason: string }).reason] : [],
  );
const dataOf = ({ events }: Pick<RigClient, 'events'>) =>
  events.flatMap(({ type, data }) => (type === 'sse:reset' ? [] : [data]));
const texts = (from: number, to: number) => numbered(from, to).map(({ data }) => data);

describe('A source whose history', () => {
  let rig: ClientRig;
  let source: HostileSource;

  beforeEach(() => {
    jest.useFakeTimers();
    rig = new ClientRig({ readyTimeout: 100, linger: 1_000 });
    source = new HostileSource();
    source.write(20);
  });

  afterEach(() => {
    rig.close();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

  /** A client of one channel, or of several. */
  const connect = async (lastEventId: string, several = false): Promise<RigClient> => {
    const other = new HostileSource();
    const requests = [
      { source, name: 'bad' },
      ...(several ? [{ source: other, name: 'good' }] : []),
    ];
    if (several) {
      // A composite id is read by its labels, which the first connection tells.
      const first = await rig.connect(requests);
      const id = first.lastEventId!.replace(/:[^,]+,/, `:${lastEventId},`);
      first.cut();
      const connecting = rig.connect(requests, { lastEventId: id });
      await pass(101);
      return connecting;
    }
    const connecting = rig.connect(requests, { lastEventId });
    await pass(101);
    return connecting;
  };

  it.each([
    ['rejects', () => Promise.reject(new Error('No disk.'))],
    [
      'throws',
      () => {
        throw new Error('No disk.');
      },
    ],
    ['rejects with nothing', () => Promise.reject(undefined)],
  ])('%s is read again, ever less often, and clients get what they missed', async (_, fail) => {
    source.read = fail as Read;
    const client = await connect('5');
    await pass(60_000);
    // 100, 200, 400 … 5,000 ms, and half of each at random.
    expect(source.reads).toBeGreaterThan(10);
    expect(source.reads).toBeLessThan(40);
    expect(client.events).toEqual([]);
    expect(rig.logged).toEqual([expect.stringContaining('"bad" cannot be read')]);
    source.read = (position, limit) => source.page(position, limit);
    source.write(3);
    await pass(6_000);
    expect(dataOf(client)).toEqual(texts(6, 23));
    expect(reasonsOf(client)).toEqual([]);
    expect(rig.notes).toEqual([expect.stringContaining('"bad" can be read again')]);
  });

  it('cannot be read is no outage any more once nobody wants to read it', async () => {
    source.read = () => Promise.reject(new Error('No disk.'));
    const client = await connect('5');
    const { channels, tally } = rig.delivery;
    expect(tally.outages.history).toBe(1);
    client.cut();
    await pass(1_100);
    expect([channels.size, tally.outages.history]).toEqual([0, 0]);
  });

  it('never answers causes an outage, and is read again', async () => {
    source.read = () => new Promise(() => undefined);
    const client = await connect('5');
    await pass(29_000);
    expect([source.reads, rig.logged]).toEqual([1, []]);
    await pass(2_000);
    expect(rig.logged).toEqual([expect.stringMatching(/"bad" cannot be read: .* 30000 ms/)]);
    source.read = (position, limit) => source.page(position, limit);
    await pass(40_000);
    expect(dataOf(client)).toEqual(texts(6, 20));
  });

  it('rejects with an SseError causes no log line of ours', async () => {
    source.read = () => Promise.reject(new SseError('UNAVAILABLE', 'Known.'));
    await connect('5');
    await pass(1_000);
    expect(source.reads).toBeGreaterThan(1);
    expect(rig.logged).toEqual([]);
  });

  describe.each([
    ['one channel', false],
    ['several channels', true],
  ])('read by a client of %s', (_, several) => {
    it.each<[string, unknown]>([
      ['undefined', undefined],
      ['null', null],
      ['a number', 7],
      ['a big number', 7n],
      ['an array', []],
      ['an object', {}],
      ['events that are none', { events: 'abc', last: true }],
      ['no `last`', { events: numbered(6, 20) }],
      ['nothing, and more behind it', { events: [], last: false }],
      ['a reset of its own', { events: [], last: true, reset: 'because' }],
      ['an event that is null', { events: [null], last: true }],
      ['an event without position', { events: [{ data: 'x' }], last: true }],
      ['a position with a line end', { events: [{ data: 'x', position: 'a\nb' }], last: true }],
      ['a position that is a big number', { events: [{ data: 'x', position: 7n }], last: true }],
    ])('gives %s causes a reset, and its client goes on', async (__, page) => {
      source.read = () => Promise.resolve(page);
      const client = await connect('5', several);
      await pass(1_000);
      expect(reasonsOf(client)).toEqual(['listener-gap']);
      expect(source.reads).toBe(1);
      expect(rig.logged).toEqual([
        expect.stringContaining('The history of the channel "bad" gave'),
      ]);
      source.write(2);
      await pass(10);
      expect(dataOf(client)).toEqual(['21', '22']);
    });

    it('gives the same page again and again causes a reset after the first page', async () => {
      source.read = () => Promise.resolve({ events: numbered(6, 9), last: false });
      const client = await connect('5', several);
      await pass(10_000);
      expect(dataOf(client)).toEqual(texts(6, 9));
      expect(reasonsOf(client)).toEqual(['listener-gap']);
      expect(source.reads).toBe(2);
      expect(rig.logged).toEqual([expect.stringMatching(/"bad" gave the event at 6 after .* 9/)]);
      source.write();
      await pass(10);
      expect(dataOf(client).at(-1)).toBe('21');
    });

    it('gives events that cannot be sent causes a reset in their place', async () => {
      source.read = () =>
        Promise.resolve({
          events: [
            { position: '6', data: '6' },
            { position: '7', data: Buffer.from('x') },
            { position: '8', data: '8', type: 'a\nb' },
            { position: '9', data: '9', id: 'earliest' },
            { position: '8', data: 'back again' },
            { position: '10', data: '10' },
          ],
          last: true,
        });
      source.written = 0;
      const client = await connect('5', several);
      await pass(10);
      expect(client.events.map(({ type, data }) => (type === 'message' ? data : type))).toEqual([
        '6',
        'sse:reset',
        'sse:reset',
        'sse:reset',
        'sse:reset',
        '10',
      ]);
      expect(new Set(reasonsOf(client))).toEqual(new Set(['skipped-event']));
      expect(rig.logged.filter((line) => line.includes('"bad"'))).toHaveLength(4);
    });

    it.each<[string, (a: string, b: string) => unknown]>([
      [
        'throws',
        () => {
          throw new TypeError('No order.');
        },
      ],
      ['gives NaN', () => NaN],
      ['gives nothing', () => undefined],
      ['gives a big number', () => 1n],
    ])('has a compare() that %s causes a reset, and its client goes on', async (__, compare) => {
      source.compare = compare;
      source.write();
      const client = await connect('5', several);
      source.write(3);
      await pass(1_000);
      expect(reasonsOf(client).length).toBeGreaterThan(0);
      expect(rig.logged.length).toBeGreaterThan(0);
      expect(rig.logged.every((line) => line.includes('"bad"'))).toBe(true);
      const before = dataOf(client);
      source.write(2);
      await pass(10);
      expect(dataOf(client).slice(before.length)).toEqual(
        texts(source.written - 1, source.written),
      );
      expect(new Set(dataOf(client)).size).toBe(dataOf(client).length);
    });

    it('is ahead of the live events gives each client each event once', async () => {
      source.read = (position) =>
        Promise.resolve({ events: numbered(Number(position) + 1, 25), last: true });
      const client = await connect('5', several);
      expect(dataOf(client)).toEqual(texts(6, 25));
      for (let round = 0; round < 7; round++) {
        source.write();
        await pass(1);
      }
      expect(dataOf(client)).toEqual(texts(6, 27));
      expect(reasonsOf(client)).toEqual([]);
    });

    it('lags behind the live events makes the client wait, and loses nothing', async () => {
      let shown = 20;
      source.read = (position) => {
        const events = numbered(Number(position) + 1, shown);
        return Promise.resolve({ events, last: true });
      };
      await rig.connect([{ source, name: 'bad' }]);
      source.write(10);
      const client = await connect('5', several);
      await pass(2_000);
      shown = 30;
      source.write(2);
      shown = 32;
      await pass(6_000);
      expect(dataOf(client)).toEqual(texts(6, 32));
      expect(reasonsOf(client)).toEqual([]);
    });

    it('never shows the live events causes a reset', async () => {
      source.read = (position) =>
        Promise.resolve({ events: numbered(Number(position) + 1, 20), last: true });
      await rig.connect([{ source, name: 'bad' }]);
      source.write(10);
      const client = await connect('5', several);
      await pass(60_000);
      expect(reasonsOf(client)).toEqual(['listener-gap']);
      expect(rig.logged).toEqual([expect.stringMatching(/"bad" does not give the event at 30/)]);
      source.write();
      await pass(10);
      expect(dataOf(client).at(-1)).toBe('31');
    });
  });

  it('has many readers is asked for few pages at a time, and for none after a reader has left', async () => {
    const answers: (() => void)[] = [];
    let aborted = 0;
    source.read = (position, limit, signal) => {
      source.mostUnderWay = Math.max(source.mostUnderWay, ++source.underWay);
      signal!.addEventListener('abort', () => aborted++);
      return new Promise((resolve) => {
        answers.push(() => {
          source.underWay--;
          void source.page(position, limit).then(resolve);
        });
      });
    };
    source.written = 1_000;
    const connecting = Array.from({ length: 300 }, (_, index) =>
      rig.connect([{ source, name: 'bad' }], { lastEventId: `${index + 1}` }),
    );
    await pass(101);
    const clients = await Promise.all(connecting);
    expect(source.reads).toBe(64);
    clients.slice(0, 250).forEach((client) => client.cut());
    expect(aborted).toBe(64);
    for (let round = 0; answers.length > 0; round++) {
      expect(round).toBeLessThan(100);
      answers.splice(0).forEach((answer) => answer());
      await pass(10);
    }
    expect(source.mostUnderWay).toBe(64);
    // Those that left before their turn are not read for. What takes more than a page is read on.
    expect(source.reads).toBeLessThan(64 + 50 * 4 + 1);
    expect(clients.slice(250).map(dataOf)).toEqual(
      Array.from({ length: 50 }, (_, index) => texts(index + 252, 1_000)),
    );
  });

  it('has many readers of one page is asked for it once, until the last of them has left', async () => {
    let signal: AbortSignal | undefined;
    source.read = (_position, _limit, given) => {
      signal = given;
      return new Promise(() => undefined);
    };
    const [first, second] = await Promise.all([connect('5'), connect('5')]);
    expect(source.reads).toBe(1);
    first.cut();
    expect(signal!.aborted).toBe(false);
    second.cut();
    expect(signal!.aborted).toBe(true);
    await pass(120_000);
    expect([source.reads, rig.logged]).toEqual([1, []]);
  });

  it('answers those who have left is still asked once for those who wait', async () => {
    const answers: (() => void)[] = [];
    source.read = (position, limit) =>
      new Promise((resolve) => answers.push(() => resolve(source.page(position, limit))));
    (await connect('5')).cut();
    const second = await connect('5');
    answers[0]!();
    await pass(1);
    const third = await connect('5');
    expect(source.reads).toBe(2);
    answers[1]!();
    await pass(1);
    expect([second, third].map(dataOf)).toEqual([texts(6, 20), texts(6, 20)]);
  });
});

describe('A source that', () => {
  let rig: ClientRig;
  let source: HostileSource;

  beforeEach(() => {
    jest.useFakeTimers();
    rig = new ClientRig({ readyTimeout: 100, linger: 1_000 });
    source = new HostileSource();
  });

  afterEach(() => {
    rig.close();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
  const requests = () => [{ source, name: 'bad' }];

  it('appends without a position beside a history gets an error from append()', async () => {
    const client = await rig.connect(requests());
    expect(() => source.sink.append({ data: 'x' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_EVENT',
        message: expect.stringMatching(/channel "bad" has no `position`/),
      }),
    );
    source.write();
    await pass(1);
    expect(dataOf(client)).toEqual(['1']);
  });

  it.each<[string, SourceEvent]>([
    ['data that is no text', { data: 7 as never, position: '1' }],
    ['a position that cannot come back', { data: 'x', position: 'a\u0001' }],
    ['a position that waits for the next run', { data: 'x', position: '1~next' }],
    ['a position with a comma', { data: 'x', position: '1,2' }],
  ])('appends %s gets an error from append()', async (_, event) => {
    await rig.connect(requests());
    expect(() => source.sink.append(event)).toThrow(SseError);
  });

  it.each([
    ['equal to', '5'],
    ['before', '3'],
    ['before where it began, which is', '-1'],
  ])('appends at a position %s the one before gets an error from append()', async (_, position) => {
    const client = await rig.connect(requests());
    if (position !== '-1') {
      source.write(5);
    }
    await pass(1);
    const before = dataOf(client);
    const again = { data: 'again', position };
    expect(() => source.sink.append(again)).toThrow(
      expect.objectContaining({
        code: 'INVALID_EVENT',
        message: expect.stringMatching(/channel "bad" has the position "-?\d".*failover/),
      }),
    );
    appendOrSkip(source.sink, again, () => undefined);
    source.write();
    await pass(1);
    // Where it stands does not go back with it.
    expect(reasonsOf(client)).toEqual(['skipped-event']);
    expect(dataOf(client)).toEqual([...before, `${source.written}`]);
    const ids = client.events.map(({ id }) => id!);
    const returned = await Promise.all(
      ids.map((lastEventId) => rig.connect(requests(), { lastEventId })),
    );
    await pass(1);
    expect(returned.map(dataOf)).toEqual(
      client.events.map((__, index) => dataOf({ events: client.events.slice(index + 1) })),
    );
  });

  it('says that its history begins anew may go on at any position', async () => {
    const client = await rig.connect(requests());
    source.write(5);
    source.sink.reset('failover', '0');
    source.sink.append({ data: 'anew', position: '1' });
    await pass(1);
    expect(dataOf(client)).toEqual([...texts(1, 5), 'anew']);
    expect(reasonsOf(client)).toEqual(['failover']);
  });

  it('calls live() again causes a reset, unless its position is the same', async () => {
    const client = await rig.connect(requests());
    source.write(2);
    source.sink.live('2');
    await pass(1);
    expect(reasonsOf(client)).toEqual([]);
    expect(rig.logged).toEqual([]);
    source.sink.live('5');
    await pass(1);
    expect(reasonsOf(client)).toEqual(['listener-gap']);
    expect(client.lastEventId).toMatch(/^5~next/);
    source.sink.live();
    await pass(1);
    expect(reasonsOf(client)).toEqual(['listener-gap', 'listener-gap']);
    expect(rig.logged).toHaveLength(2);
    expect(rig.logged[0]).toContain('The source of the channel "bad" called live() again');
  });

  it('calls its sink after close() reaches nobody, and ends nothing', async () => {
    const client = await rig.connect(requests());
    const late = source.sink;
    client.cut();
    await pass(1_100);
    expect(rig.delivery.channels.size).toBe(0);
    late.append({ data: 'late', position: '1' });
    late.reset('failover', '2');
    late.live('3');
    expect(rig.logged.map((line) => /"bad" called (\w+)\(\) after close/.exec(line)?.[1])).toEqual([
      'append',
      'reset',
      'live',
    ]);
    const again = await rig.connect(requests());
    late.append({ data: 'late', position: '1' });
    source.write();
    await pass(1);
    expect(dataOf(again)).toEqual(['1']);
  });

  it('calls live() and reset() with an impossible position does nothing by it', async () => {
    const client = await rig.connect(requests());
    source.write();
    source.sink.reset('failover', 'a\nb');
    source.sink.reset('failover', 7 as never);
    source.sink.live('earliest');
    await pass(1);
    expect(reasonsOf(client)).toEqual(['failover', 'failover', 'listener-gap']);
    expect(client.lastEventId).toMatch(/^1~next/);
    expect(rig.logged.filter((line) => line.includes('position is ignored'))).toHaveLength(3);
  });

  it.each(['resume', 'pause', 'close', 'current'] as const)(
    'throws from %s() causes a log line, and its clients go on',
    async (hook) => {
      source.hooks = {
        [hook]: () => {
          throw new Error('No.');
        },
      };
      const client = await rig.connect(requests());
      source.write();
      await pass(1);
      expect(dataOf(client)).toEqual(['1']);
      client.cut();
      await pass(1_100);
      expect(rig.delivery.channels.size).toBe(0);
      expect(rig.logged).toEqual([expect.stringContaining('"bad"')]);
    },
  );

  it('gives a first event that cannot be sent causes a reset', async () => {
    source.hooks = { current: () => ({ data: { a: 1 } as never }) };
    const client = await rig.connect(requests());
    expect(reasonsOf(client)).toEqual(['skipped-event']);
    source.write();
    await pass(1);
    expect(dataOf(client)).toEqual(['1']);
  });
});
