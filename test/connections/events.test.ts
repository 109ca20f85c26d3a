import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { concat, map, NEVER, of, throwError, timer, mergeMap, type Observable } from 'rxjs';
import {
  SseChannel,
  SseEvents,
  type SseClosed,
  type SseConnectionEvent,
  type SseEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { RoomsController } from './rooms.js';

const KILOBYTE = 'x'.repeat(1_000);
const context = new AsyncLocalStorage<string>();

@Controller()
class EndingController {
  @Sse('impatient/:room')
  @SseChannel('{room}', { overflow: 'disconnect' })
  impatient() {}

  @Sse('expiring')
  @SseChannel('a', { expires: () => Date.now() + 50 })
  expiring() {}

  @Sse('handled/:room')
  @SseChannel('{room}')
  handled(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data: `handled ${data}` })));
  }

  @Sse('failing')
  @SseChannel()
  failing() {
    return concat(of('one', 'two'), timer(20).pipe(mergeMap(() => throwError(() => 'failed'))));
  }

  @Sse('finite')
  @SseChannel()
  finite() {
    return of('one', 'two', 'three');
  }

  @Sse('silent')
  @SseChannel()
  silent() {
    return NEVER;
  }
}

/** The bytes of frames in a chunked response, after the first chunk. */
function bytesAfterOpening(text: string): number {
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  const sizes = [...body.matchAll(/(?:^|\r\n)([0-9a-f]+)\r\n/g)].map(([, size]) =>
    Number.parseInt(size!, 16),
  );
  return sizes.slice(1).reduce((sum, size) => sum + size, 0);
}

describe.each(ADAPTERS)('sse.connections$ on %s', (adapter) => {
  afterEach(closeApps);

  const start = async (options: SseModuleOptions = {}) => {
    const app = await startApp({
      adapter,
      options,
      controllers: [RoomsController, EndingController],
    });
    const seen: SseConnectionEvent[] = [];
    let isComplete = false;
    app.sse.connections$.subscribe({
      next: (event) => seen.push(event),
      complete: () => (isComplete = true),
    });
    const closed = async (): Promise<SseClosed> =>
      until(() => seen.find((event): event is SseClosed => event.type === 'closed'));
    return { ...app, seen, closed, isComplete: () => isComplete };
  };

  type Started = Awaited<ReturnType<typeof start>>;

  /** Sends more than the buffers of the systems take. */
  const flood = async ({ sse, seen }: Started, channel: string) => {
    for (let i = 0; i < 20_000 && seen.length < 2; i++) {
      await sse.send(channel, KILOBYTE);
      if (i % 50 === 49) await new Promise(setImmediate);
    }
  };

  it('tells of a connection when it opens, and when it has closed', async () => {
    const { connect, sse, seen } = await start({ client: () => ({ id: 'ann', info: 1 }) });
    const client = await connect('/rooms/a');
    await until(() => seen.length === 1);
    const [connection] = sse.connections();
    expect(seen).toEqual([{ type: 'opened', connection }]);
    expect(connection).toMatchObject({ client: 'ann', info: 1, channels: ['a'] });
    await sse.send('a', 'one');
    await sse.send('a', 'two');
    await client.take(2);
    await client.close();
    await until(() => seen.length === 2);
    expect(seen[1]).toEqual({
      type: 'closed',
      connection,
      reason: 'client-left',
      duration: expect.any(Number),
      events: 2,
      bytes: expect.any(Number),
    });
  });

  it.each<[SseClosed['reason'], string, SseModuleOptions, (app: Started) => unknown]>([
    ['completed', '/rooms/a', {}, ({ sse }) => sse.complete('a')],
    ['completed', '/several', {}, ({ sse }) => Promise.all([sse.complete('a'), sse.complete('b')])],
    ['completed', '/finite', {}, () => undefined],
    ['expired', '/expiring', {}, () => undefined],
    ['max-age', '/rooms/a', { maxAge: 50 }, () => undefined],
    ['error', '/failing', {}, () => undefined],
    ['shutdown', '/rooms/a', { drainTimeout: 0 }, ({ app }) => app.close()],
    ['shutdown', '/silent', {}, ({ app }) => app.close()],
  ])('names the reason %s of a stream at %s', async (reason, path, options, act) => {
    const app = await start(options);
    await app.connect(path);
    await act(app);
    expect(await app.closed()).toMatchObject({ reason });
    expect(app.seen).toHaveLength(2);
  });

  it('names the reason stalled', async () => {
    const app = await start({ stallTimeout: 100, retain: { events: 100_000, bytes: 1e9 } });
    const client = (await RawClient.get(app.url, '/rooms/a')).stall();
    await until(() => app.seen.length === 1);
    await flood(app, 'a');
    expect(await app.closed()).toMatchObject({ reason: 'stalled' });
    client.destroy();
  });

  it('names the reason overflow', async () => {
    const app = await start({ retain: { events: 10 }, stallTimeout: 0 });
    const client = (await RawClient.get(app.url, '/impatient/a')).stall();
    await until(() => app.seen.length === 1);
    await flood(app, 'a');
    client.read().socket.resume();
    expect(await app.closed()).toMatchObject({ reason: 'overflow' });
    client.destroy();
  });

  it.each([
    ['/rooms/a', 3],
    ['/several', 3],
    ['/handled/a', 3],
  ])('counts the events and bytes that were written at %s', async (path, events) => {
    const app = await start({ heartbeat: 0 });
    const client = (await RawClient.get(app.url, path)).read();
    await until(() => client.text.includes('sse:open'));
    await app.sse.send('a', 'ünï 🙂');
    await until(() => client.text.includes(Buffer.from('🙂').toString('latin1')));
    await app.sse.send('a', 'two\nlines');
    await app.sse.send('a', 'three', { type: 'named' });
    await until(() => client.text.includes('three'));
    client.destroy();
    const bytes = bytesAfterOpening(client.text);
    expect(await app.closed()).toMatchObject({ events, bytes });
  });

  it.each([
    ['/finite', 3],
    ['/failing', 2],
    ['/handled/a', 2],
  ])('counts also what ends the stream at %s', async (path, events) => {
    const app = await start();
    const client = await app.connect(path);
    await app.sse.send('a', 'one');
    if (path.includes('handled')) await client.take(1);
    await app.sse.complete('a');
    await client.closed;
    expect(client.events).toHaveLength(events);
    expect(await app.closed()).toMatchObject({ events });
  });

  it('counts what is read from history and replaced by a reset', async () => {
    const app = await start({ retain: { events: 2 } });
    for (let i = 0; i < 5; i++) await app.sse.send('a', `${i}`);
    const earliest = await app.connect('/rooms/a', { lastEventId: 'earliest' });
    await earliest.take(2);
    await earliest.close();
    expect(await app.closed()).toMatchObject({ events: 2 });
    app.seen.length = 0;
    const lost = await app.connect('/rooms/a', { lastEventId: 'unknown' });
    await lost.next({ type: 'sse:reset' });
    await lost.close();
    expect(await app.closed()).toMatchObject({ events: 1 });
  });

  it('tells of each connection once, opened before closed, when hundreds come and go', async () => {
    const app = await start({ limits: { connections: 40 } });
    const come = async () => {
      const client = await app.connect('/rooms/a');
      await client.close();
    };
    await Promise.all(Array.from({ length: 60 }, come));
    await until(() => app.sse.stats().connections === 0);
    await until(
      () => app.seen.filter(({ type }) => type === 'closed').length * 2 === app.seen.length,
    );
    const open = new Set<string>();
    for (const { type, connection } of app.seen) {
      expect(open.has(connection.id)).toBe(type === 'closed');
      if (type === 'opened') open.add(connection.id);
      else open.delete(connection.id);
    }
    expect(open.size).toBe(0);
    expect(app.seen.length).toBeGreaterThan(60);
  });

  it('goes on for the others when a subscriber throws, and completes at shutdown', async () => {
    const app = await start();
    app.sse.connections$.subscribe(() => {
      throw new Error('a subscriber fails');
    });
    app.sse.connections$.pipe(map(({ type }) => type.at(100)!.length)).subscribe(() => undefined);
    const client = await app.connect('/rooms/a');
    await client.close();
    await app.closed();
    await app.connect('/rooms/a');
    expect(app.isComplete()).toBe(false);
    await app.app.close();
    expect(app.isComplete()).toBe(true);
    expect(app.seen.at(-1)).toMatchObject({ type: 'closed', reason: 'shutdown' });
  });

  it('never runs in the async context of a request', async () => {
    const stores: unknown[] = [];
    let app: TestApp | undefined;
    try {
      app = await startApp({
        adapter,
        controllers: [EndingController],
        prepare: (nest) =>
          nest.use((_request: unknown, _response: unknown, next: () => void) =>
            context.run('of a request', next),
          ),
      });
      app.sse.connections$.subscribe(() => stores.push(context.getStore()));
      await (await app.connect('/handled/a')).close();
      await until(() => stores.length === 2);
      expect(stores).toEqual([undefined, undefined]);
    } finally {
      await app?.close();
    }
  });
});
