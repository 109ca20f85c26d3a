import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { instance, stopInstances, withRedis } from './instances.js';

@Controller()
class EventsController {
  @Sse('events/:channel')
  @SseChannel('{channel}')
  events(): void {
    // The channel is all there is to it.
  }

  @Sse('keys/:key')
  @SseChannel('{key}', { source: 'cache', interval: 20 })
  keys(): void {
    // The key is all there is to it.
  }
}

/** What the application's log says of an outage. */
class Lines {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  readonly infos: string[] = [];
  readonly logger = {
    log: (message: string, context?: string) => this.note(this.infos, message, context),
    warn: (message: string, context?: string) => this.note(this.warnings, message, context),
    error: (message: string, ...rest: unknown[]) =>
      this.note(this.errors, message, rest.at(-1) as string),
    debug: () => undefined,
    verbose: () => undefined,
    fatal: () => undefined,
  };

  private note(lines: string[], message: string, context?: string): void {
    if (context === 'SseChannels') {
      lines.push(message);
    }
  }
}

const toClose: (() => unknown)[] = [];

afterEach(async () => {
  await closeApps();
  await stopInstances();
  for (const close of toClose.splice(0).toReversed()) {
    await close();
  }
});

async function server(config: string[] = []): Promise<RedisServer> {
  const redis = await startRedis({ config });
  toClose.push(() => redis.stop());
  return redis;
}

async function proxyTo(redis: RedisServer): Promise<TcpProxy> {
  const proxy = await startProxy(redis.url);
  toClose.push(() => proxy.close());
  return proxy;
}

async function app(options: SseModuleOptions) {
  const lines = new Lines();
  const { sse, connect } = await startApp({
    controllers: [EventsController],
    options: { broker: 'redis', ...options },
    logger: lines.logger,
  });
  return { sse, connect, lines };
}

describe('An outage of Redis', () => {
  it.each(['own connection', "the application's client"])(
    'is one log line at its begin and one at its end, whatever fails meanwhile: %s',
    async (whose) => {
      const redis = await server();
      const proxy = await proxyTo(redis);
      const url = proxy.url(redis.url);
      const users =
        whose === 'own connection' ? undefined : new Redis(url, { disconnectTimeout: 100 });
      users?.on('error', () => undefined);
      toClose.push(() => users?.disconnect());
      const { sse, connect, lines } = await app({
        redis: users ?? url,
        redisStreams: { sendTimeout: 300, auditInterval: 100 },
      });
      const client = await connect('/events/a');
      await connect('/keys/k');
      await sse.send('a', 'before');
      await client.next();
      proxy.refuse();
      proxy.cut();
      const sends = Array.from({ length: 20 }, () => [
        sse.send('a', 'while away'),
        sse.send('b', 'while away'),
      ]).flat();
      const outcomes = await Promise.allSettled(sends);
      expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
      expect(lines.errors).toEqual([expect.stringMatching(/not reachable|interrupted/)]);
      // Beyond all that is tolerated in silence.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      void sse.send('a', 'not awaited');
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(lines.errors).toHaveLength(1);
      proxy.accept();
      await until(() => lines.infos.length > 0);
      await until(() =>
        sse.send('a', 'after').then(
          () => true,
          () => false,
        ),
      );
      expect(lines.infos).toEqual([expect.stringContaining('reachable again')]);
      expect(lines.warnings).toEqual([]);
      expect(lines.errors).toHaveLength(1);
    },
  );

  it('without a lost connection is one log line as well', async () => {
    const redis = await server();
    const { sse, lines } = await app({ redis: redis.url });
    await sse.send('oom', 'before');
    await withRedis(redis.url, async (admin) => {
      await admin.config('SET', 'maxmemory', '1');
      const sends = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => sse.send(`oom ${n}`, 'refused')),
      );
      expect(sends.every(({ status }) => status === 'rejected')).toBe(true);
      await admin.config('SET', 'maxmemory', '0');
    });
    await sse.send('oom', 'after');
    await until(() => lines.infos.length > 0);
    expect(lines.errors).toEqual([expect.stringContaining('no memory left')]);
    expect(lines.infos).toEqual([expect.stringContaining('Sending works again')]);
  });

  it('of one channel among others that work adds few lines to the log', async () => {
    const redis = await server();
    const { sse, lines } = await app({ redis: redis.url });
    await withRedis(redis.url, (admin) => admin.set('sse:{taken}', 'a string'));
    for (let n = 0; n < 50; n++) {
      await sse.send('free', 'accepted');
      await sse.send('taken', 'refused').catch(() => undefined);
    }
    expect(lines.errors.length + lines.infos.length).toBeLessThanOrEqual(10);
  });
});

describe('A connection that Redis closes', () => {
  it('because it was idle causes no log line and no loss when it is back at once', async () => {
    const redis = await server(['timeout 1']);
    const one = await instance(redis.url, { auditInterval: 60_000 });
    const there = one.open('idle');
    await until(() => there.isLive);
    await one.broker.publish('idle', { data: 'before' });
    const { drops } = one.connection;
    await until(() => one.connection.drops >= drops + 1);
    await until(() => one.connection.client().catch(() => undefined));
    await one.broker.publish('idle', { data: 'after' });
    await until(() => there.events.length === 2);
    expect(one.log.errors).toEqual([]);
    expect(one.log.lines).toEqual([]);
  });

  it('causes a log line within a second or so when it does not come back', async () => {
    const redis = await server();
    const proxy = await proxyTo(redis);
    const one = await instance(proxy.url(redis.url), { auditInterval: 60_000 });
    await until(() => one.connection.client().catch(() => undefined));
    // New connections are taken, and hang.
    proxy.freeze();
    proxy.cut();
    await until(() => one.log.errors.length === 1);
    proxy.cut();
    proxy.thaw();
    await until(() => one.log.lines.some((line) => line.includes('reachable again')));
  });
});
