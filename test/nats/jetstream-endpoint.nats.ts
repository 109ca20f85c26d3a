import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Sse } from '@nestjs/common';
import {
  jetstream,
  jetstreamManager,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { SseChannel } from '../../lib/index.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { END_HEADER, JetStreamSource } from './jetstream-source.js';
import { startNatsServer, type NatsServer } from './nats-server.js';

@Controller()
class JobsController {
  @Sse('jobs/:name')
  @SseChannel('{name}', { source: JetStreamSource })
  job(): void {
    // The channel is all there is to it.
  }
}

let server: NatsServer;
let connection: NatsConnection;
let manager: JetStreamManager;
let client: JetStreamClient;

beforeAll(async () => {
  server = await startNatsServer();
  connection = await connect({ servers: server.url });
  manager = await jetstreamManager(connection);
  client = jetstream(connection);
});

beforeEach(async () => {
  await manager.streams.add({ name: 'jobs', subjects: ['jobs.>'] });
});

afterEach(async () => {
  await closeApps();
  await manager.streams.delete('jobs');
});

afterAll(async () => {
  await connection?.close();
  await server?.stop();
});

function start(): Promise<TestApp> {
  const source = new JetStreamSource({ servers: server.url, stream: 'jobs', prefix: 'jobs' });
  return startApp({
    controllers: [JobsController],
    providers: [{ provide: JetStreamSource, useValue: source }],
  });
}

async function end(channel: string): Promise<void> {
  const header = headers();
  header.set(END_HEADER, '1');
  await client.publish(`jobs.${channel}`, '[DONE]', { headers: header });
}

describe('A NATS JetStream source', () => {
  it('answers a client that has received the end with 204, also on another instance', async () => {
    const one = await start();
    const reader = await one.connect('/jobs/a');
    await client.publish('jobs.a', 'one');
    await end('a');
    expect((await reader.take(2)).map(({ data }) => data)).toEqual(['one', '[DONE]']);
    await reader.closed;
    const two = await start();
    const again = await two.connect('/jobs/a', { lastEventId: reader.lastEventId });
    expect(again.opened.status).toBe(204);
  });

  it('lets a client that came after the end wait for the next run, also when it returns', async () => {
    await client.publish('jobs.a', 'one');
    await end('a');
    const one = await start();
    const late = await one.connect('/jobs/a');
    await late.close();
    const two = await start();
    const again = await two.connect('/jobs/a', { lastEventId: late.lastEventId });
    expect(again.opened.status).toBe(200);
    await client.publish('jobs.a', 'of the next run');
    expect((await again.next()).data).toBe('of the next run');
  });

  it('sends a reset after a purge of its own subject, and none after that of another', async () => {
    const one = await start();
    const readers = [await one.connect('/jobs/a'), await one.connect('/jobs/b')] as const;
    for (const text of ['one', 'two', 'three', 'four']) {
      await client.publish('jobs.a', text);
      await client.publish('jobs.b', text);
    }
    const [first, second] = await Promise.all(readers.map((reader) => reader.take(4)));
    await manager.streams.purge('jobs', { filter: 'jobs.a', keep: 1 });
    const two = await start();
    const trimmed = await two.connect('/jobs/a', { lastEventId: String(first?.[0]?.id) });
    expect(await trimmed.next()).toMatchObject({
      type: 'sse:reset',
      data: expect.stringContaining('trimmed'),
    });
    const whole = await two.connect('/jobs/b', { lastEventId: String(second?.[0]?.id) });
    expect((await whole.take(3)).map(({ data }) => data)).toEqual(['two', 'three', 'four']);
  });

  it('refuses a name that is not a subject', async () => {
    const app = await start();
    expect((await app.connect('/jobs/a..b')).opened.status).toBe(400);
  });
});
