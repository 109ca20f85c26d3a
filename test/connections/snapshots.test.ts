import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { of } from 'rxjs';
import {
  requestedChannels,
  SseChannel,
  SseService,
  type ChannelSink,
  type SseClosed,
  type SseSnapshot,
} from '../../lib/index.js';
import type { SseTestClient, SseTestEvent } from '../../lib/testing/index.js';
import { errorLog } from '../support/error-log.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface AppRequest {
  readonly query: Record<string, string>;
}

/** One call of the endpoint's `snapshot`. */
interface Call {
  readonly channel: string;
  readonly request: AppRequest;
  readonly signal: AbortSignal;
  readonly context: string | undefined;
  answer(state: unknown): void;
  fail(error: unknown): void;
}

const storage = new AsyncLocalStorage<string>();
const calls: Call[] = [];
/** What the next calls give; without it they wait for their answers. */
let give: ((channel: string) => unknown) | undefined;

function snapshot(channel: string, request: AppRequest, signal: AbortSignal): unknown {
  return new Promise((answer, fail) => {
    calls.push({ channel, request, signal, context: storage.getStore(), answer, fail });
    if (give) {
      try {
        answer(give(channel));
      } catch (error) {
        fail(error);
      }
    }
  });
}

/** A source that is told what to do. */
const told: { sink?: ChannelSink } = {};
const source = {
  open(_channel: string, sink: ChannelSink) {
    told.sink = sink;
    sink.live();
    return { current: () => ({ data: 'current' }), close: () => undefined };
  },
};

@Controller()
class StatesController {
  constructor(private readonly sse: SseService) {}

  @Sse('one')
  @SseChannel('a', { snapshot })
  one() {}

  @Sse('labelled')
  @SseChannel(() => ['a'], { snapshot })
  labelled() {}

  @Sse('several')
  @SseChannel(() => ['a', 'b', 'c'], { snapshot })
  several() {}

  @Sse('chosen')
  @SseChannel(undefined, { snapshot })
  chosen() {
    return this.sse.stream('a');
  }

  @Sse('disconnect')
  @SseChannel('a', { snapshot, overflow: 'disconnect' })
  disconnect() {}

  @Sse('own')
  @SseChannel('a', { snapshot })
  own() {
    return of({ data: 'own' });
  }

  @Sse('told')
  @SseChannel('told', { snapshot, source })
  told() {}

  @Sse('counted')
  @SseChannel('a', {
    async snapshot(this: StatesController) {
      await this.sse.send('b', 'counted');
      return { readers: this.sse.stats().readers };
    },
  })
  counted() {}

  @Sse('some')
  @SseChannel(() => ['a', 'b', 'job:7'], {
    snapshot: {
      a: snapshot,
      'job:{id}'(this: StatesController, channel) {
        return { channel, readers: this.sse.stats().readers };
      },
    },
  })
  some() {}

  @Sse('without')
  @SseChannel('a')
  without() {}
}

const stateOf = ({ data }: SseTestEvent) => JSON.parse(data) as SseSnapshot<unknown>;
const shown = ({ type, data }: SseTestEvent) => (type === 'message' ? data : type);
const allOf = ({ events }: SseTestClient) => events.map(shown);
const called = (count: number) => until(() => calls.length >= count);

describe.each(ADAPTERS)('snapshot on %s', (adapter) => {
  afterEach(async () => {
    await closeApps();
    calls.length = 0;
    give = undefined;
    jest.restoreAllMocks();
  });

  const start = (options = {}, more = {}) =>
    startApp({ adapter, controllers: [StatesController], options, ...more });

  it.each(['/one', '/labelled', '/chosen'])(
    'brings the state first, and then what was sent since it was asked for: %s',
    async (path) => {
      const { connect, sse } = await start();
      await sse.send('a', 'before');
      const client = await connect(`${path}?who=me`);
      expect(client.lastEventId).toBe('');
      await called(1);
      await sse.send('a', 'meanwhile');
      expect(calls[0]).toMatchObject({ channel: 'a', request: { query: { who: 'me' } } });
      calls[0]!.answer({ count: 1 });
      const first = await client.next();
      expect(first.type).toBe('sse:snapshot');
      expect(stateOf(first)).toEqual({ channel: 'a', state: { count: 1 } });
      expect((await client.next()).data).toBe('meanwhile');
      await sse.send('a', 'live');
      expect((await client.next()).data).toBe('live');
      // It resumes after the state exactly, and needs no other.
      const returned = await connect(path, { lastEventId: first.id });
      expect((await returned.take(2)).map(shown)).toEqual(['meanwhile', 'live']);
      const again = await client.reconnect();
      await sse.send('a', 'after');
      expect((await again.next()).data).toBe('after');
      expect(calls).toHaveLength(1);
    },
  );

  it('brings a state for each of several channels, and events of the others meanwhile', async () => {
    const { connect, sse } = await start();
    const client = await connect('/several');
    await called(3);
    const answer = (channel: string) =>
      calls.find((call) => call.channel === channel)!.answer(`state of ${channel}`);
    answer('b');
    const first = await client.next();
    expect(stateOf(first)).toEqual({ channel: 'b', state: 'state of b' });
    await sse.send('a', 'a1');
    await sse.send('b', 'b1');
    const second = await client.next();
    expect(second.data).toBe('b1');
    // It returns with a position in one of them, and receives the states of the others.
    await client.close();
    await sse.send('b', 'b2');
    give = (channel) => `later state of ${channel}`;
    const again = await client.reconnect();
    const events = await again.take(3);
    const states = events.filter(({ type }) => type === 'sse:snapshot').map(stateOf);
    expect(states.map(({ channel }) => channel).sort()).toEqual(['a', 'c']);
    expect(events.map(({ data }) => data)).toContain('b2');
    const last = await again.reconnect();
    await sse.send('a', 'a2');
    expect((await last.next()).data).toBe('a2');
    expect(calls).toHaveLength(5);
  });

  it('is brought for the channels that have one, and the others are live at once', async () => {
    const { connect, sse } = await start();
    const client = await connect('/some');
    const first = await client.next();
    expect(stateOf(first)).toEqual({ channel: 'job:7', state: { channel: 'job:7', readers: 3 } });
    await called(1);
    // It has a position in the channel without a state, and none in the one whose state is late.
    const broken = await connect('/some');
    expect(stateOf(await broken.next()).channel).toBe('job:7');
    await broken.close();
    await sse.send('a', 'a1');
    await sse.send('b', 'b1');
    expect((await client.next()).data).toBe('b1');
    give = () => 'state';
    const again = await broken.reconnect();
    const events = await again.take(2);
    expect(events.map(shown).sort()).toEqual(['b1', 'sse:snapshot']);
    await sse.send('a', 'a2');
    expect((await again.next()).data).toBe('a2');
    expect(new Set(calls.map(({ channel }) => channel))).toEqual(new Set(['a']));
  });

  it.each(['c', 'a:{id}', 'job:{id}:x'])('refuses to start with one for %s', async (name) => {
    @Controller()
    class StrangeController {
      @Sse('named')
      @SseChannel(requestedChannels({ only: ['a', 'job:{id}'] }), {
        snapshot: { a: snapshot, 'job:1': snapshot, [name]: snapshot },
      })
      named() {}
    }
    await expect(startApp({ adapter, controllers: [StrangeController] })).rejects.toThrow(
      `StrangeController.named has a \`snapshot\` for "${name}", which is none of its channels: "a", "job:{id}".`,
    );
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['no function', { a: 'state' }],
    ['an empty name', { '': snapshot }],
  ])('refuses %s in the object', (_, given) => {
    expect(() => SseChannel('a', { snapshot: given as never })({}, 'a', { value() {} })).toThrow(
      /`snapshot` is .* it must be a function of a channel and the request, or an object of such functions/,
    );
  });

  it('follows each reset, and a client that breaks off before it receives both again', async () => {
    give = () => 'state';
    const { connect } = await start();
    const client = await connect('/told');
    expect((await client.take(1)).map(shown)).toEqual(['sse:snapshot']);
    told.sink!.append({ data: 'e1' });
    told.sink!.reset('failover');
    told.sink!.append({ data: 'e2' });
    expect((await client.take(3)).map(shown)).toEqual(['e1', 'sse:reset', 'sse:snapshot']);
    give = undefined;
    const { length } = calls;
    told.sink!.append({ data: 'e3' });
    told.sink!.reset('skipped-event');
    expect((await client.take(2)).map(shown)).toEqual(['e3', 'sse:reset']);
    await called(length + 1);
    await client.close();
    give = () => 'later state';
    const again = await client.reconnect();
    const events = await again.take(2);
    expect(events.map(shown)).toEqual(['sse:reset', 'sse:snapshot']);
    expect(stateOf(events[1]!).state).toBe('later state');
    told.sink!.append({ data: 'e4' });
    expect((await again.next()).data).toBe('e4');
  });

  it("takes the place of a source's current event", async () => {
    give = () => 'state';
    const { connect } = await start();
    const client = await connect('/told');
    told.sink!.append({ data: 'e1' });
    expect((await client.take(2)).map(shown)).toEqual(['sse:snapshot', 'e1']);
  });

  it('follows the reset of a client whose position is gone', async () => {
    give = () => 'state';
    const { connect } = await start();
    const client = await connect('/one', { lastEventId: 'made up' });
    expect((await client.take(2)).map(shown)).toEqual(['sse:reset', 'sse:snapshot']);
  });

  it('precedes the end of a run that ended while the function ran', async () => {
    const { connect, sse } = await start();
    const client = await connect('/one');
    await called(1);
    await sse.send('a', 'last');
    await sse.complete('a');
    await sse.send('a', 'of the next run');
    calls[0]!.answer('state');
    await client.closed;
    expect(allOf(client)).toEqual(['sse:snapshot', 'last', '[DONE]']);
    const again = await client.reconnect();
    expect(again.opened.status).toBe(204);
    expect(calls).toHaveLength(1);
  });

  it('calls the function in the async context of the request', async () => {
    let requests = 0;
    const { connect } = await start(
      {},
      {
        prepare: (app: { use(middleware: unknown): void }) =>
          app.use((_request: unknown, _response: unknown, next: () => void) =>
            storage.run(`request ${++requests}`, next),
          ),
      },
    );
    await connect('/told');
    await connect('/one');
    await called(2);
    calls.forEach(({ answer }) => answer('state'));
    told.sink!.reset('failover');
    await called(3);
    expect(calls.map(({ channel, context }) => [channel, context])).toEqual([
      ['told', 'request 1'],
      ['a', 'request 2'],
      ['told', 'request 1'],
    ]);
  });

  it('has the controller as `this`', async () => {
    const { connect } = await start();
    const client = await connect('/counted');
    expect(stateOf(await client.next())).toEqual({ channel: 'a', state: { readers: 1 } });
  });

  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  it.each<[string, () => unknown, RegExp]>([
    ['throws', () => throwing(new Error('the database is away')), /the database is away/],
    ['rejects', () => Promise.reject(new Error('late')), /late/],
    ['rejects with nothing', () => Promise.reject(undefined as never), /undefined/],
    [
      'returns undefined',
      () => undefined,
      /: It returned undefined. Return the state, or null where there is none. Channels that never have one/,
    ],
    [
      'returns a function',
      () => () => 1,
      /JSON has no function. Return other data, or set `serialize`/,
    ],
    ['returns a BigInt', () => 1n, /BigInt/],
    ['returns a cycle', () => cycle, /circular/],
    ['returns too much', () => 'x'.repeat(2_000), /more than|bytes/],
  ])(
    'ends the stream when the function %s, so that the client returns',
    async (_, bad, message) => {
      const { lines, logger } = errorLog();
      const { connect, sse } = await start(
        { limits: { eventSize: 1_000 }, retry: 100 },
        { logger },
      );
      const closed: SseClosed[] = [];
      sse.connections$.subscribe((event) => event.type === 'closed' && closed.push(event));
      give = bad;
      const client = await connect('/one');
      await client.closed;
      expect(client.events).toEqual([]);
      expect(client.retry).toBeGreaterThanOrEqual(100);
      expect(client.retry).toBeLessThanOrEqual(200);
      await until(() => closed.length === 1);
      expect(closed[0]!.reason).toBe('error');
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain('`snapshot` of StatesController.one, for "a", failed:');
      expect(lines[0]).toMatch(message);
      give = () => 'state';
      const again = await client.reconnect();
      expect((await again.next()).type).toBe('sse:snapshot');
    },
  );

  it('ends the stream as well when the state after a reset cannot be taken', async () => {
    give = () => 'state';
    const { connect } = await start();
    const client = await connect('/told');
    await client.next();
    give = () => throwing(new Error('away'));
    told.sink!.reset('listener-gap');
    await client.closed;
    give = () => 'state';
    const again = await client.reconnect();
    expect((await again.take(2)).map(shown)).toEqual(['sse:reset', 'sse:snapshot']);
  });

  it('aborts the signal when the client leaves, and forgets the answer', async () => {
    const { lines, logger } = errorLog();
    const { connect, sse } = await start({}, { logger });
    const clients = [await connect('/one'), await connect('/one')];
    await called(2);
    await Promise.all(clients.map((client) => client.close()));
    await until(() => calls.every(({ signal }) => signal.aborted));
    calls[0]!.answer('too late');
    calls[1]!.fail(new Error('aborted'));
    await until(() => sse.stats().readers === 0);
    expect(lines).toEqual([]);
  });

  it('runs the function for 20 clients at a time', async () => {
    const { connect } = await start();
    const clients = await Promise.all(Array.from({ length: 45 }, () => connect('/one')));
    await called(20);
    for (let answered = 0; answered < 45; answered++) {
      await called(Math.min(45, answered + 20));
      expect(calls.length).toBeLessThanOrEqual(answered + 20);
      calls[answered]!.answer(answered);
    }
    const states = await Promise.all(clients.map(async (client) => stateOf(await client.next())));
    expect(new Set(states.map(({ state }) => state)).size).toBe(45);
  });

  it('writes the data by `serialize`', async () => {
    give = () => 12n;
    const serialize = (data: unknown) =>
      JSON.stringify(data, (_, value: unknown) =>
        typeof value === 'bigint' ? `${value}n` : value,
      );
    const { connect } = await start({ serialize });
    const client = await connect('/one');
    expect(stateOf(await client.next())).toEqual({ channel: 'a', state: '12n' });
  });

  it.each(['/one', '/disconnect'])(
    'is taken again when more events come than are retained, but not for ever: %s',
    async (path) => {
      const { lines, logger } = errorLog();
      const { connect, sse } = await start({ retain: { events: 5, bytes: 1_000 } }, { logger });
      const flood = async () => {
        for (let nth = 0; nth < 100; nth++) {
          await sse.send('a', 'x'.repeat(1_000));
        }
      };
      const client = await connect(path);
      await called(1);
      await flood();
      calls[0]!.answer('overtaken');
      await called(2);
      await sse.send('a', 'meanwhile');
      calls[1]!.answer('second');
      expect(stateOf(await client.next()).state).toBe('second');
      expect((await client.next()).data).toBe('meanwhile');
      await client.close();
      const unlucky = await connect(path);
      for (let nth = 2; nth < 6; nth++) {
        await called(nth + 1);
        await flood();
        calls[nth]!.answer('overtaken');
      }
      await unlucky.closed;
      expect(unlucky.events).toEqual([]);
      expect(calls).toHaveLength(6);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/came too late: .*Make it faster, or raise `retain`\./);
    },
  );

  it('waits for a client that does not read, and brings a state that is not overtaken', async () => {
    give = () => 'state';
    const { url, sse } = await start({ retain: { events: 5, bytes: 20_000 } });
    const client = await RawClient.get(url, '/one');
    client.stall();
    await until(() => calls.length === 1);
    // The kernel takes much before the client counts as slow.
    for (let nth = 0; nth < 12_000; nth++) {
      await sse.send('a', 'x'.repeat(1_000));
      if (nth % 20 === 19) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    client.read().socket.resume();
    await until(() => client.text.includes('slow-consumer'));
    await until(() => client.text.split('event: sse:snapshot').length === 3);
    await sse.send('a', 'after');
    await until(() => client.data.at(-1) === 'after');
    client.destroy();
    expect(calls).toHaveLength(2);
  });

  it('is refused when the handler returns a stream of its own', async () => {
    const { lines, logger } = errorLog();
    const { connect } = await start({}, { logger });
    const client = await connect('/own');
    expect(client.opened.status).toBe(500);
    expect(lines[0]).toMatch(/StatesController.own returned a stream of its own/);
    expect(calls).toEqual([]);
  });

  it('is not for other endpoints of the same channel', async () => {
    const { connect, sse } = await start();
    const client = await connect('/without');
    expect(client.lastEventId).not.toBe('');
    await sse.send('a', 'first');
    expect(shown(await client.next())).toBe('first');
    expect(calls).toEqual([]);
  });
});

it.each([[true], ['state'], [{}]])('snapshot is refused as %j', (option) => {
  expect(() =>
    SseChannel('a', { snapshot: option as never })(class {}.prototype, 'method', {
      value: () => undefined,
    }),
  ).toThrow(/`snapshot` is .*it must be a function of a channel and the request/);
});

function throwing(error: Error): never {
  throw error;
}
