import { UnauthorizedException } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { connect } from 'node:net';
import { Guard } from '../../lib/channel/guard.js';
import type { Broker, ChannelSource } from '../../lib/index.js';
import { PublishPermission } from '../../lib/publish/publish-permission.js';
import type { SsePublishOptions } from '../../lib/publish/index.js';
import { arrived, dataOf } from '../once/arrived.js';
import { startRedis } from '../support/redis.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startPublishApp, TOKEN } from './app.js';

const event = { channel: 'a', data: 'a' };

/** A broker of the application without `publishOnce()`. */
class PlainBroker implements Broker {
  fault: Error | undefined;

  open(): ReturnType<ChannelSource['open']> {
    return { close: () => undefined };
  }

  async publish(): Promise<string> {
    if (this.fault) throw this.fault;
    return 'an-id';
  }
}

describe.each(ADAPTERS)('Publishing over HTTP on %s when something fails', (adapter) => {
  afterEach(closeApps);

  it('answers 503 while Redis is away, without telling where it is, and works again', async () => {
    const redis = await startRedis();
    try {
      const app = await startPublishApp(
        {},
        {
          adapter,
          options: { broker: 'redis', redis: redis.url, redisStreams: { sendTimeout: 500 } },
        },
      );
      const key = { 'idempotency-key': 'outage' };
      expect(await app.publish(event)).toMatchObject({ status: 200 });
      await redis.kill();
      for (const body of [event, { events: [event, event] }]) {
        const { status, headers, body: told } = await app.publish(body, key);
        expect([status, headers.get('retry-after')]).toEqual([503, '1']);
        expect(JSON.stringify(told)).toContain('"code":"UNAVAILABLE"');
        expect(JSON.stringify(told)).not.toMatch(/127\.0\.0\.1|localhost|ECONN/);
      }
      await redis.start();
      await until(async () => (await app.publish(event, key)).status === 200);
      expect(await app.publish(event, key)).toMatchObject({ body: { duplicate: true } });
    } finally {
      await redis.stop();
    }
  });

  it('tells that a broker recognises no keys, and nothing of what it throws', async () => {
    const broker = new PlainBroker();
    const { publish } = await startPublishApp({}, { adapter, options: { broker } });
    expect(await publish(event)).toMatchObject({ status: 200, body: { id: 'an-id' } });
    expect(await publish(event, { 'idempotency-key': 'k' })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_OPTION', message: expect.stringContaining('keys') },
    });
    broker.fault = new Error('password=secret');
    for (const body of [event, { events: [event] }]) {
      const answer = await publish(body);
      expect(answer.status).toBe(503);
      expect(JSON.stringify(answer.body)).not.toContain('secret');
    }
  });

  it('answers 500 where `client` names nobody, and passes on what it refuses by', async () => {
    for (const [client, status] of [
      [() => 5 as never, 500],
      [
        () => {
          throw new Error('secret');
        },
        500,
      ],
      [
        () => {
          throw new UnauthorizedException('who?');
        },
        401,
      ],
    ] as [NonNullable<SsePublishOptions['client']>, number][]) {
      const { publish, sse } = await startPublishApp(
        { client, limits: { eventsPerMinute: 5 } },
        { adapter },
      );
      const answer = await publish(event);
      expect(answer.status).toBe(status);
      expect(JSON.stringify(answer.body)).not.toContain('secret');
      expect(dataOf(await arrived(sse, 'a'))).toEqual([]);
    }
  });

  it('publishes nothing of a body that breaks off', async () => {
    const { publish, sse, url } = await startPublishApp({}, { adapter });
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    const text = JSON.stringify(event);
    socket.write(
      `POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: ${TOKEN.authorization}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${text.length + 1}\r\n\r\n${text}`,
    );
    expect(await publish({ ...event, data: 'b' })).toMatchObject({ status: 200 });
    socket.destroy();
    expect(await publish({ ...event, data: 'c' })).toMatchObject({ status: 200 });
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['b', 'c']);
  });

  it('counts requests that cannot be read, too', async () => {
    const { publish } = await startPublishApp({ limits: { eventsPerMinute: 3 } }, { adapter });
    const statuses = [];
    for (let nth = 0; nth < 4; nth++) statuses.push((await publish({})).status);
    expect(statuses).toEqual([400, 400, 400, 429]);
  });
});

describe('An `authorize` that never answers', () => {
  it('refuses the event, and is not waited for again in this request', async () => {
    const error = jest.fn();
    const log = { log: jest.fn(), warn: jest.fn(), error };
    const authorize = jest.fn(() => new Promise<boolean>(() => undefined));
    const permission = new PublishPermission(authorize, {}, new Guard(log), 10);
    const refused = { code: 'UNAVAILABLE' };
    await expect(permission.check(event)).rejects.toMatchObject(refused);
    await expect(permission.check(event)).rejects.toMatchObject(refused);
    expect(authorize).toHaveBeenCalledTimes(1);
    await until(() => error.mock.calls.length === 1);
    expect(String(error.mock.calls[0])).toContain('gave no answer within 10 ms');
  });
});
