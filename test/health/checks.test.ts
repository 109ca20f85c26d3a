import { Controller, Injectable, Sse, type BeforeApplicationShutdown } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ChannelFeed, ChannelSource } from '../../lib/index.js';
import { SseChannel } from '../../lib/index.js';
import { SseHealthIndicator } from '../../lib/terminus/index.js';
import { startRedis } from '../support/redis.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startHealthApp, statesIn } from './health-app.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  await closeApps();
  for (const end of ends.splice(0).reverse()) {
    await end();
  }
});

/** A source that is away as long as a test says. */
class ToldSource implements ChannelSource {
  answer: () => unknown = () => undefined;

  open(_channel: string, sink: { live(): void }): ChannelFeed {
    sink.live();
    return { close: () => undefined };
  }

  awayFor(): number | undefined {
    return this.answer() as number | undefined;
  }
}

/** An application with such a source, and another one of the same class that works. */
async function toldApp(live = {}) {
  const source = new ToldSource();
  @Controller()
  class SourceController {
    @Sse('told')
    @SseChannel('told', { source })
    told() {}

    @Sse('other')
    @SseChannel('other', { source: new ToldSource() })
    other() {}
  }
  const errors: string[] = [];
  const logger = {
    ...console,
    log: () => undefined,
    error: (text: string) => void errors.push(text),
  };
  const app = await startHealthApp(
    {},
    { controllers: [SourceController], live, logger: logger as never },
  );
  return { app, source, errors };
}

describe.each(ADAPTERS)('An application that shuts down, on %s', (adapter) => {
  it('is not ready at once, and lives until it is gone', async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let isStopping = false;
    @Injectable()
    class Slow implements BeforeApplicationShutdown {
      async beforeApplicationShutdown(): Promise<void> {
        isStopping = true;
        await gate;
      }
    }
    const app = await startHealthApp({}, { adapter, providers: [Slow] });
    const client = await app.connect('/events/1');
    expect((await app.health('ready')).status).toBe(200);
    const closed = app.close();
    await until(() => isStopping);
    const ready = await app.health('ready');
    expect(ready.status).toBe(503);
    expect(ready.body.details.sse).toMatchObject({
      status: 'down',
      stopping: true,
      message: 'The application is shutting down.',
    });
    const live = await app.health('live');
    expect(live.body.details.sse).toMatchObject({ status: 'up', stopping: true });
    open();
    await closed;
    await client.close();
  });
});

describe('Readiness and liveness', () => {
  it('name the sources of the application by their class', async () => {
    const { app, source } = await toldApp();
    const good = await app.health('ready');
    expect(good.status).toBe(200);
    expect(statesIn(good)).toEqual({ ToldSource: 'up', 'ToldSource 2': 'up' });
    source.answer = () => 4_200;
    const away = await app.health('ready');
    expect(away.status).toBe(503);
    expect(away.body.details.sse.message).toBe('ToldSource is away for 4 s.');
    expect(away.body.details.sse.systems['ToldSource']).toEqual({ state: 'away', awayFor: 4_200 });
    expect((await app.health('live')).status).toBe(200);
  });

  it.each([
    [() => 'yes', /awayFor\(\) of ToldSource failed: it returned a string/],
    [() => Number.NaN, /awayFor\(\) of ToldSource failed: it returned NaN/],
    [() => -1, /awayFor\(\) of ToldSource failed: it returned -1/],
    [async () => 1, /awayFor\(\) of ToldSource failed: it returned a promise/],
    [
      () => {
        throw new Error('no idea');
      },
      /awayFor\(\) of ToldSource failed: no idea/,
    ],
  ])('take a source for away whose awayFor() fails: %s', async (answer, line) => {
    const { app, source, errors } = await toldApp();
    source.answer = answer;
    expect((await app.health('ready')).status).toBe(503);
    expect(errors).toEqual([expect.stringMatching(line)]);
    expect((await app.health('live')).status).toBe(200);
  });

  it('differ in patience: only a long outage is a reason to restart', async () => {
    const { app, source } = await toldApp();
    source.answer = () => 1_800_000;
    expect((await app.health('live')).status).toBe(200);
    source.answer = () => 2_700_001;
    const dead = await app.health('live');
    expect(dead.status).toBe(503);
    expect(dead.body.details.sse.message).toBe('ToldSource is away for 2700 s.');
    source.answer = () => undefined;
    expect((await app.health('live')).status).toBe(200);
  });

  it('spread the restarts of instances that lost a system together', async () => {
    const { app, source } = await toldApp();
    source.answer = () => 2_250_000;
    const service = new HealthIndicatorService();
    // That 100 of them agree by chance is as likely as 99 equal tosses of a coin.
    const statuses = Array.from(
      { length: 100 },
      () => new SseHealthIndicator(app.sse, service).live().sse.status,
    );
    expect(new Set(statuses)).toEqual(new Set(['up', 'down']));
  });

  it('end with a real outage that is longer than `maxOutage`', async () => {
    const server = await startRedis();
    ends.push(() => server.stop());
    const app = await startHealthApp({ redis: server.url }, { live: { maxOutage: 100 } });
    await app.untilHealth('ready', 200);
    await server.kill();
    const dead = await app.untilHealth('live', 503);
    expect(dead.body.details.sse.message).toMatch(/^redis is away for \d+ s\.$/);
    await server.start();
    await app.untilHealth('live', 200);
  });

  it('never end with `maxOutage: Infinity`, and leave out what `except` names', async () => {
    const { app, source } = await toldApp({ maxOutage: Infinity });
    source.answer = () => Number.MAX_SAFE_INTEGER;
    expect((await app.health('live')).status).toBe(200);
    const indicator = new SseHealthIndicator(app.sse, new HealthIndicatorService());
    expect(indicator.ready('sse').sse.status).toBe('down');
    expect(indicator.ready('streams', { except: ['ToldSource'] }).streams.status).toBe('up');
    expect(indicator.live('sse', { except: ['ToldSource'] }).sse.status).toBe('up');
  });

  it.each([
    [{ except: 'redis' }, '`except` is "redis"; it must be an array of the names of systems'],
    [{ maxOutage: 0 }, '`maxOutage` is 0; it must be a whole number of milliseconds'],
    [{ maxoutage: 1 }, 'there is no option `maxoutage`'],
  ])('refuse the options %j', async (options, message) => {
    const { sse } = await startApp({});
    const indicator = new SseHealthIndicator(sse, new HealthIndicatorService());
    expect(() => indicator.live('sse', options as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(message),
      }),
    );
  });
});
