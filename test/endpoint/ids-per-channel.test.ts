import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import { requestedChannels, SseChannel, SseEvents, type SseEvent } from '../../lib/index.js';
import {
  ADAPTERS,
  closeApps,
  startApp,
  type AppOptions,
  type TestApp,
} from '../support/start-app.js';
import { until } from '../support/until.js';
import { PositionsClient } from './positions-client.js';
import { RawStream } from './raw-stream.js';

interface UserRequest {
  readonly headers: { readonly user?: string };
}

const ANY = { authorize: () => true };
const states = new Map<string, string>();

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), ANY)
  stream() {}

  @Sse('mapped', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), ANY)
  mapped(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data: data.toUpperCase() })));
  }

  @Sse('states', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), { ...ANY, snapshot: (channel) => states.get(channel) ?? null })
  states() {}

  @Sse('rooms', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    ...ANY,
    client: ({ headers }: UserRequest) => headers.user ?? 'somebody',
    presence: 'events',
  })
  rooms() {}

  @Sse('impatient', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), { ...ANY, overflow: 'disconnect' })
  impatient() {}

  @Sse('latest', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    ...ANY,
    overflow: { latest: ({ data }) => (data as string).split(' ')[0]! },
  })
  latest() {}
}

const NAMES = Array.from({ length: 160 }, (_, number) => `job:${number}`);
const KILOBYTE = 'x'.repeat(1_000);

/** Sends turn by turn, as an application does. */
async function flood({ sse }: TestApp, channel: string, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    await sse.send(channel, `${number} ${KILOBYTE}`);
    if (number % 20 === 19) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe.each(ADAPTERS)('ids=channel on %s', (adapter) => {
  const clients: PositionsClient[] = [];

  afterEach(async () => {
    clients.splice(0).forEach((client) => client.cut());
    await closeApps();
  });

  const start = (options: AppOptions['options'] = {}): Promise<TestApp> =>
    startApp({ adapter, controllers: [StreamController], options });

  const clientOf = (channels: readonly string[], from?: Record<string, string>) => {
    const client = new PositionsClient(channels, from);
    clients.push(client);
    return client;
  };

  it('writes the bytes of one channel, and an id of at most 40 bytes', async () => {
    const { sse, url } = await start();
    const bytes = async (channels: readonly string[]): Promise<number> => {
      const query = new URLSearchParams(
        channels.map((name): [string, string] => ['channel', name]),
      );
      const stream = await RawStream.open(`${url}/stream?${query}&ids=channel`);
      await stream.textOnce((text) => text.includes('\n\n'));
      const opening = stream.text.length;
      for (let round = 0; round < 3; round++) {
        for (const name of channels) {
          await sse.send(name, KILOBYTE);
        }
      }
      await stream.event(3 * channels.length - 1);
      await stream.close();
      return (stream.text.length - opening) / stream.events.length;
    };
    const one = await bytes([NAMES[0]!]);
    const many = await bytes(NAMES);
    expect(one).toBeLessThanOrEqual(`data: ${KILOBYTE}\n\n`.length + 40);
    expect(many).toBe(one);
  });

  it('starts a channel live that has no position, and one at a position without its label', async () => {
    const { sse, url } = await start();
    const ids = [await sse.send('a', 'a1'), await sse.send('a', 'a2'), await sse.send('b', 'b1')];
    await sse.send('c', 'c1');
    const client = clientOf(['a', 'b', 'c'], { a: ids[0]!, b: 'earliest' });
    await client.connect(`${url}/stream`);
    await sse.send('c', 'c2');
    await until(() => client.count === 3);
    expect(['a', 'b', 'c'].map((name) => client.dataOf(name))).toEqual([['a2'], ['b1'], ['c2']]);
  });

  it('tells a reset in the channel that it is about, and resumes the others exactly', async () => {
    const app = await start({ retain: { events: 5 } });
    const client = clientOf(NAMES);
    await client.connect(`${app.url}/stream`);
    client.cut();
    await flood(app, 'job:7', 10);
    for (const name of NAMES) {
      await app.sse.send(name, `${name} next`);
    }
    await client.connect(`${app.url}/stream`);
    await until(() => client.count === NAMES.length);
    // The reset is at the head, and what was there before is not sent.
    expect(client.events.get('job:7')).toMatchObject([
      { type: 'sse:reset', data: '{"channel":"job:7","reason":"trimmed"}' },
    ]);
    const others = NAMES.filter((name) => name !== 'job:7');
    expect(others.map((name) => client.dataOf(name))).toEqual(
      others.map((name) => [`${name} next`]),
    );
    await app.sse.send('job:7', 'again');
    await until(() => client.count === NAMES.length + 1);
    expect(client.dataOf('job:7').at(-1)).toBe('again');
    expect(client.positionIn('job:7')).toBeDefined();
  });

  it('ends a channel when its run ends, and the response after the last', async () => {
    const { sse, url } = await start();
    const client = clientOf(['a', 'b']);
    await client.connect(`${url}/stream`);
    await sse.complete('a');
    await sse.send('a', 'of the next run');
    await sse.send('b', 'b1');
    await until(() => client.count === 2);
    expect(client.dataOf('a')).toEqual(['[DONE]']);
    client.cut();
    // A client that has the end of one has the others when it returns.
    await client.connect(`${url}/stream`);
    expect(client.status).toBe(200);
    await sse.send('b', 'b2');
    await sse.complete('b');
    await until(() => !client.isOpen);
    expect(client.dataOf('a')).toEqual(['[DONE]']);
    expect(client.dataOf('b')).toEqual(['b1', 'b2', '[DONE]']);
    await client.connect(`${url}/stream`);
    expect(client.status).toBe(204);
  });

  it('brings the state of each channel with its own position', async () => {
    const { sse, url } = await start();
    states.set('a', 'state of a').set('b', 'state of b');
    await sse.send('a', 'before');
    const client = clientOf(['a', 'b']);
    await client.connect(`${url}/states`);
    await until(() => client.count === 2);
    await sse.send('a', 'after');
    await until(() => client.count === 3);
    expect(client.dataOf('a')).toEqual(['{"channel":"a","state":"state of a"}', 'after']);
    expect(client.dataOf('b')).toEqual(['{"channel":"b","state":"state of b"}']);
    client.cut();
    await sse.send('b', 'meanwhile');
    await client.connect(`${url}/states`);
    await until(() => client.count === 4);
    expect(client.dataOf('b').at(-1)).toBe('meanwhile');
  });

  it('counts the client in each channel, and tells who comes in each', async () => {
    const { sse, url } = await start();
    const client = clientOf(['room:1', 'room:2']);
    await client.connect(`${url}/rooms`);
    await until(() => client.count === 2);
    for (const room of ['room:1', 'room:2']) {
      expect(client.events.get(room)).toMatchObject([{ type: 'sse:join' }]);
      expect((await sse.presence(room)).members).toMatchObject([{ id: 'somebody' }]);
    }
  });

  it('leaves out a channel that the application takes from the client', async () => {
    const { sse, url } = await start();
    const client = clientOf(['room:1', 'room:2']);
    await client.connect(`${url}/rooms`);
    await until(() => client.count === 2);
    await sse.disconnect({ client: 'somebody', channel: 'room:1' }, { block: 60_000 });
    await until(() => !client.isOpen);
    expect(client.others).toMatchObject([{ type: 'sse:end', data: '{"reason":"revoked"}' }]);
    await sse.send('room:1', 'a secret');
    await sse.send('room:2', 'news');
    await until(async () => {
      await client.connect(`${url}/rooms`);
      return client.others.length === 2;
    });
    expect(client.others[1]).toMatchObject({
      type: 'sse:denied',
      data: '{"channels":["room:1"]}',
    });
    await until(() => client.dataOf('room:2').includes('news'));
    expect(client.dataOf('room:1').join()).not.toContain('secret');
  });

  it('gives each channel its turn when one has much for a client that lags', async () => {
    const app = await start({ retain: { events: 50_000, bytes: 100_000_000 } });
    const client = clientOf(['bulk', ...NAMES]);
    await client.connect(`${app.url}/stream`);
    client.pause();
    await flood(app, 'bulk', 20_000);
    for (const name of NAMES) {
      await app.sse.send(name, name);
    }
    client.resume();
    await until(() => NAMES.every((name) => client.events.has(name)));
    // All had their turns long before the last of the others.
    expect(client.dataOf('bulk').length).toBeLessThan(20_000);
    await until(() => client.count === 20_000 + NAMES.length);
    const numbers = client.dataOf('bulk').map((text) => parseInt(text, 10));
    expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, number) => number));
  });

  it('resets a client that lags in the channel that it has lost events of', async () => {
    const app = await start({ retain: { events: 500, bytes: 1_000_000 } });
    const client = clientOf(['bulk', ...NAMES]);
    await client.connect(`${app.url}/stream`);
    client.pause();
    await flood(app, 'bulk', 20_000);
    for (const name of NAMES) {
      await app.sse.send(name, name);
    }
    client.resume();
    await until(() => NAMES.every((name) => client.dataOf(name).length === 1));
    await app.sse.send('bulk', 'last');
    await until(() => client.dataOf('bulk').includes('last'));
    const resets = [...client.events.values()].flat().filter(({ type }) => type === 'sse:reset');
    expect(resets.map(({ data }) => data)).toEqual(['{"channel":"bulk","reason":"slow-consumer"}']);
  });

  it('disconnects such a client where the endpoint says so', async () => {
    const app = await start({ retain: { events: 500, bytes: 1_000_000 } });
    const client = clientOf(['bulk', ...NAMES]);
    await client.connect(`${app.url}/impatient`);
    client.pause();
    await flood(app, 'bulk', 20_000);
    client.resume();
    await until(() => !client.isOpen);
    expect(client.dataOf('bulk').length).toBeLessThan(20_000);
    expect(app.sse.stats().connections).toBe(0);
  });

  it('brings such a client up to date by key where the endpoint says so', async () => {
    const app = await start({ retain: { events: 500, bytes: 1_000_000 } });
    const client = clientOf(['bulk', 'other']);
    await client.connect(`${app.url}/latest`);
    client.pause();
    for (let number = 0; number < 20_000; number++) {
      await app.sse.send('bulk', `${number % 10} ${number} ${KILOBYTE}`);
      if (number % 20 === 19) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await app.sse.send('other', 'other');
    client.resume();
    await until(() => client.dataOf('bulk').at(-1)?.startsWith('9 19999 '));
    await until(() => client.dataOf('other').length === 1);
    const last = client.dataOf('bulk').slice(-10);
    expect(last.map((text) => text.split(' ', 2).join())).toEqual(
      Array.from({ length: 10 }, (_, key) => `${key},${19_990 + key}`),
    );
    expect(client.dataOf('bulk').join()).not.toContain('slow-consumer');
  });

  it('holds for what a handler makes of the events, too', async () => {
    const { sse, url } = await start();
    const client = clientOf(['a', 'b']);
    await client.connect(`${url}/mapped`);
    await sse.send('a', 'a1');
    await sse.send('b', 'b1');
    await until(() => client.count === 2);
    client.cut();
    await sse.send('a', 'a2');
    await sse.send('b', 'b2');
    await client.connect(`${url}/mapped`);
    await until(() => client.count === 4);
    expect([client.dataOf('a'), client.dataOf('b')]).toEqual([
      ['A1', 'A2'],
      ['B1', 'B2'],
    ]);
    expect(client.longestId).toBeLessThanOrEqual(40);
  });
});
