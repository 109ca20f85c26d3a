import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startWith, Subject } from 'rxjs';
import {
  SseChannel,
  type Broker,
  type ChannelSink,
  type ControlSink,
  type SseModuleOptions,
} from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byUser, RoomsController } from './rooms.js';

/** What the handler of `/own` emits. */
const own$ = new Subject<string>();

@Controller()
class OwnController {
  @Sse('own')
  @SseChannel()
  own() {
    return own$.pipe(startWith('own 1'));
  }
}

/** A broker in this process whose control log the test works by hand. */
class ControlledBroker implements Broker {
  readonly sinks = new Map<string, ChannelSink>();
  readonly published: [text: string, keep: number][] = [];
  sink!: ControlSink;
  isClosed = false;
  longestKeep: number | undefined;
  take: () => Promise<void> = async () => undefined;
  closeControl = (): unknown => (this.isClosed = true);

  open(channel: string, sink: ChannelSink) {
    this.sinks.set(channel, sink);
    sink.live();
    return { close: () => undefined };
  }

  async publish(channel: string, { data }: { data: string }) {
    return this.sinks.get(channel)?.append({ data }) ?? 'unread';
  }

  openControl(sink: ControlSink) {
    this.sink = sink;
    return {
      longestKeep: this.longestKeep,
      publish: (text: string, keep: number) => {
        this.published.push([text, keep]);
        return this.take();
      },
      close: () => void this.closeControl(),
    };
  }
}

describe.each(ADAPTERS)('A control log of a broker on %s', (adapter) => {
  afterEach(closeApps);

  const start = async (options: SseModuleOptions = {}) => {
    const broker = (options.broker ?? new ControlledBroker()) as ControlledBroker;
    const lines: string[] = [];
    const note = (line: unknown) => void lines.push(String(line));
    const app = await startApp({
      adapter,
      controllers: [RoomsController, OwnController],
      options: {
        broker,
        revocation: true,
        readyTimeout: 20,
        retry: 10,
        client: byUser,
        ...options,
      },
      logger: { log() {}, warn: note, error: note } as never,
    });
    const as = (user: string, path = '/rooms/a') =>
      app.connect(path, { headers: { 'x-user': user } });
    return { ...app, broker, as, lines };
  };

  const command = (fields: object) =>
    JSON.stringify({ v: 1, id: `${Math.random()}`, block: 0, ...fields });

  it('has newcomers wait until it was read, and sends them away after readyTimeout', async () => {
    const { broker, as, sse } = await start({ readyTimeout: 60_000 });
    const connecting = as('ann');
    await until(() => sse.stats().opening === 1);
    broker.sink.command(command({ client: 'bob', block: 60_000 }), 10_000);
    broker.sink.caughtUp();
    expect((await connecting).opening).toBeDefined();
    expect((await as('bob')).opened.status).toBe(204);
    const { as: impatient } = await start();
    const away = await impatient('ann');
    expect((await away.closed).by).toBe('server');
    expect(away.opening).toBeUndefined();
    expect(away.retry).toBeGreaterThanOrEqual(1_000);
  });

  it('has no more newcomers wait than limits allow, and sends them away at shutdown', async () => {
    const { as, sse, app } = await start({ readyTimeout: 60_000, limits: { connections: 2 } });
    const waiting = [as('ann'), as('bob')];
    await until(() => sse.stats().opening === 2);
    expect((await (await as('eve')).closed).by).toBe('server');
    expect(sse.stats().refused.capacity).toBe(1);
    await app.close();
    for (const client of await Promise.all(waiting)) {
      expect((await client.closed).by).toBe('server');
      expect(client.opening).toBeUndefined();
    }
  });

  it('keeps everything from clients while it cannot be read, and nothing is lost then', async () => {
    const { broker, as, sse, url } = await start({ heartbeat: 50 });
    broker.sink.caughtUp();
    const clients = [await as('ann'), await as('bob', '/several'), await as('eve', '/own')];
    const raw = (await RawClient.get(url, '/rooms/a')).read();
    await until(() => raw.text.includes('sse:open'));
    await sse.send('a', '1');
    await Promise.all(clients.map((client) => client.next()));
    broker.sink.behind();
    broker.sink.behind();
    await sse.send('a', '2');
    own$.next('own 2');
    await sse.send('a', '3');
    const newcomer = await as('sue');
    await sse.send('a', '4');
    // Heartbeats go on: proxies must not close the connections.
    const { length } = raw.text;
    await until(() => [...raw.text.slice(length).matchAll(/^:$/gm)].length >= 4);
    expect([...clients, newcomer].map(({ events }) => events.length)).toEqual([1, 1, 1, 0]);
    broker.sink.command(command({ client: 'bob' }), 100);
    broker.sink.caughtUp();
    await clients[0]!.until(({ data }) => data === '4');
    await clients[2]!.until(({ data }) => data === 'own 2');
    await newcomer.next();
    await clients[1]!.closed;
    expect(clients.map(({ events }) => events.map(({ data }) => data))).toEqual([
      ['1', '2', '3', '4'],
      ['1', '{"reason":"revoked"}'],
      ['own 1', 'own 2'],
    ]);
    expect(newcomer.events.map(({ data }) => data)).toEqual(['4']);
    raw.destroy();
  });

  it('ends a stream whose handler emits more than may wait meanwhile', async () => {
    const { broker, as } = await start();
    broker.sink.caughtUp();
    const ann = await as('ann', '/own');
    await ann.next();
    broker.sink.behind();
    for (let mebibytes = 0; mebibytes < 5; mebibytes++) {
      own$.next('x'.repeat(1_048_576));
    }
    await ann.closed;
    expect(ann.events).toHaveLength(1);
  });

  it('ends streams by commands, each once, and passes over what is no command', async () => {
    const { broker, as, lines } = await start();
    broker.sink.caughtUp();
    const [ann, bob] = [await as('ann'), await as('bob')];
    for (const text of [
      '',
      'nonsense',
      'null',
      '7',
      '{}',
      '{"v":1}',
      command({}),
      command({ client: 7 }),
    ]) {
      broker.sink.command(text, 0);
    }
    broker.sink.command(JSON.stringify({ v: 1, id: 'x', block: '1', client: 'bob' }), 0);
    const revoke = command({ client: 'ann' });
    broker.sink.command(revoke, 0);
    await ann.closed;
    const back = await until(async () => {
      const client = await as('ann');
      return client.opening && client;
    });
    broker.sink.command(revoke, 0);
    broker.sink.command(command({ client: 'nobody' }), 0);
    expect([back.isOpen, bob.isOpen]).toEqual([true, true]);
    expect(lines.filter((line) => line.includes('is no command'))).toHaveLength(9);
  });

  it.each([
    [
      'were lost',
      (sink: ControlSink) => sink.lost(),
      /were lost; every stream of this instance ends/,
    ],
    [
      'are of a later version',
      (sink: ControlSink) => sink.command('{"v":2,"what":"else"}', 0),
      /A later version of nestjs-sse-channels has published a command/,
    ],
  ])('ends every stream when commands %s', async (_, act, line) => {
    const { broker, as, lines } = await start();
    broker.sink.caughtUp();
    const clients = [await as('ann'), await as('bob', '/several'), await as('eve', '/own')];
    act(broker.sink);
    await Promise.all(clients.map(({ closed }) => closed));
    expect(lines.join()).toMatch(line);
    expect(clients.every(({ retry }) => retry! >= 1_000)).toBe(true);
    // Nobody knows whom the commands meant.
    expect(clients.flatMap(({ events }) => events.map(({ type }) => type))).not.toContain(
      'sse:end',
    );
  });

  it('takes commands in ASCII, with the time that they are needed for', async () => {
    const { broker, as, sse } = await start();
    broker.sink.caughtUp();
    const client = 'ünï\u0000\u2028🙂';
    const other = await as('somebody');
    await sse.disconnect({ client, channel: 'a' }, { block: 5_000, reason: 'ü' });
    const [[text, keep]] = broker.published as [[string, number]];
    expect(keep).toBe(5_000);
    expect(text).toMatch(/^[ -~]+$/);
    expect(JSON.parse(text)).toMatchObject({
      v: 1,
      client,
      channel: 'a',
      block: 5_000,
      reason: 'ü',
    });
    // Its own command comes back, and is known.
    broker.sink.command(text, 0);
    expect(other.isOpen).toBe(true);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('away'))],
    [
      'throws',
      () => {
        throw new Error('away');
      },
    ],
  ])('has disconnect() reject when its publish() %s, and log that once', async (_, take) => {
    const { broker, as, sse, lines } = await start();
    broker.sink.caughtUp();
    broker.take = take;
    const ann = await as('ann');
    for (let i = 0; i < 3; i++) {
      await expect(sse.disconnect({ client: 'ann' })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
    }
    await ann.closed;
    void sse.disconnect({ client: 'ann' });
    expect(
      lines.filter((line) => line.startsWith('A command to end connections was not')),
    ).toHaveLength(1);
  });

  it.each([
    ['nothing', () => undefined, /openControl\(\) returned undefined/],
    ['a promise', () => Promise.reject(new Error('late')), /openControl\(\) returned a promise/],
    ['no log', () => ({ publish: async () => undefined }), /openControl\(\) returned an object/],
  ])('is refused at the start when openControl() returns %s', async (_, openControl, message) => {
    const broker = Object.assign(new ControlledBroker(), { openControl }) as never;
    await expect(start({ broker })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(message),
    });
  });

  it('refuses to block for longer than it keeps commands', async () => {
    const broker = Object.assign(new ControlledBroker(), { longestKeep: 1_000 });
    const { sse } = await start({ broker });
    await expect(sse.disconnect({ client: 'ann' }, { block: 1_001 })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/`block` is 1001, and the broker keeps commands for 1000 ms/),
    });
    await sse.disconnect({ client: 'ann' }, { block: 1_000 });
    expect(broker.published).toHaveLength(1);
  });

  it.each([undefined, NaN, -60_000])('takes a command of the age %s as a new one', async (age) => {
    const { broker, as } = await start();
    broker.sink.caughtUp();
    broker.sink.command(command({ client: 'ann', block: 60_000 }), age as never);
    expect((await as('ann')).opened.status).toBe(204);
  });

  it('that fails to close does not stop the shutdown', async () => {
    let isStopped = false;
    const broker = Object.assign(new ControlledBroker(), {
      stop: async () => void (isStopped = true),
      closeControl: () => {
        throw new Error('not now');
      },
    });
    const { app, lines } = await start({ broker });
    await app.close();
    expect(isStopped).toBe(true);
    expect(lines).toContain('close() of the control log failed: not now');
  });

  it('is closed at shutdown, also while it holds everything back', async () => {
    const { broker, as, close, app } = await start({ drainTimeout: 200 });
    broker.sink.caughtUp();
    const ann = await as('ann');
    broker.sink.behind();
    await app.close();
    expect(broker.isClosed).toBe(true);
    expect((await ann.closed).by).toBe('server');
    await close();
  });
});
