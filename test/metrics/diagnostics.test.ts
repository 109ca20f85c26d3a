import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { SseClosed, SseOpened } from '../../lib/index.js';
import { byUser, RoomsController } from '../connections/rooms.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface Delivery {
  channel: string;
  events: { id: string; position: string; type?: string }[];
  readers: number;
  duration: number;
}

const ends: (() => void)[] = [];

/** Everything that a channel tells from now on, until the end of the test. */
function heard<T>(name: string): T[] {
  const messages: T[] = [];
  const listener = (message: unknown) => void messages.push(message as T);
  subscribe(name, listener);
  ends.push(() => unsubscribe(name, listener));
  return messages;
}

afterEach(async () => {
  ends.splice(0).forEach((end) => end());
  await closeApps();
});

describe('diagnostics_channel', () => {
  it('tells of connections that open, close and are refused', async () => {
    const opened = heard<SseOpened>('nestjs-sse-channels:connection.opened');
    const closed = heard<SseClosed>('nestjs-sse-channels:connection.closed');
    const refused = heard<object>('nestjs-sse-channels:connection.refused');
    const app = await startApp({
      controllers: [RoomsController],
      options: { client: byUser, limits: { connectionsPerClient: 1 } },
    });
    const client = await app.connect('/rooms/a', { headers: { 'x-user': 'ada' } });
    await until(() => opened.length === 1);
    expect(opened[0]).toMatchObject({ type: 'opened', connection: { channels: ['a'] } });
    await fetch(`${app.url}/rooms/a`, { headers: { 'x-user': 'ada' } });
    expect(refused).toEqual([{ reason: 'client-limit' }]);
    await client.close();
    await until(() => closed.length === 1);
    expect(closed[0]).toMatchObject({ type: 'closed', reason: 'client-left', events: 0 });
  });

  it('tells of each call that publishes, and of each delivery with its events and readers', async () => {
    const app = await startApp({ controllers: [RoomsController] });
    const client = await app.connect('/rooms/a');
    const deliveries = heard<Delivery>('nestjs-sse-channels:delivery');
    const done = heard<object>('tracing:nestjs-sse-channels:publish:asyncEnd');
    const failed = heard<object>('tracing:nestjs-sse-channels:publish:error');
    const ids = await Promise.all([
      app.sse.send('a', 'one'),
      app.sse.send('a', 'two', { id: 'own' }),
    ]);
    await app.sse.sendKey('key', 'value');
    await expect(app.sse.send('a', 'x', { transaction: {} })).rejects.toThrow();
    await client.take(2);
    await until(() => deliveries.length === 1);
    expect(deliveries[0]).toMatchObject({
      channel: 'a',
      readers: 1,
      events: [{ id: ids[0], type: undefined }, { id: 'own' }],
    });
    expect(deliveries[0]!.duration).toBeGreaterThanOrEqual(0);
    expect(done).toMatchObject([
      { operation: 'send', target: 'memory', channel: 'a', result: ids[0] },
      { operation: 'send', target: 'memory', channel: 'a', result: 'own' },
      { operation: 'sendKey', target: 'memory', channel: 'key' },
    ]);
    expect(failed).toMatchObject([{ operation: 'send', error: { code: 'NOT_CONFIGURED' } }]);
  });

  it('builds no message while nobody subscribes', async () => {
    const names = ['delivery', 'connection.opened', 'connection.closed', 'connection.refused'];
    const publish = tracingChannel('nestjs-sse-channels:publish');
    const channels = [
      ...names.map((name) => channel(`nestjs-sse-channels:${name}`)),
      publish.start,
      publish.asyncEnd,
      publish.error,
    ];
    expect(channels.map(({ hasSubscribers }) => hasSubscribers)).toEqual(channels.map(() => false));
    // A reader of ids would see that they are read.
    const app = await startApp({ controllers: [RoomsController] });
    const client = await app.connect('/rooms/a');
    await app.sse.send('a', 'before');
    await client.take(1);
    const deliveries = heard<Delivery>('nestjs-sse-channels:delivery');
    const id = await app.sse.send('a', 'after');
    await client.take(1);
    await until(() => deliveries.length === 1);
    expect(deliveries[0]!.events.map((event) => event.id)).toEqual([id]);
  });
});
