import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import { SseChannel, SseEvents, type SseEvent, type SseModuleOptions } from '../../lib/index.js';
import { createDatabase, createRedis } from '../support/databases.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class RunsController {
  @Sse('a')
  @SseChannel('a')
  a() {}

  @Sse('both')
  @SseChannel(() => ['a', 'b'])
  both() {}

  @Sse('set')
  @SseChannel(() => ['a'])
  set() {}

  @Sse('handled')
  @SseChannel('a')
  handled(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(map((event) => event));
  }
}

const PATHS = ['/a', '/set', '/both', '/handled'];

interface Broker {
  readonly options: SseModuleOptions;
  drop(): Promise<void>;
}

const BROKERS: Record<string, () => Promise<Broker>> = {
  memory: () => Promise.resolve({ options: {}, drop: () => Promise.resolve() }),
  redis: async () => {
    const redis = await createRedis();
    const redisStreams = { prefix: redis.keyPrefix };
    const options: SseModuleOptions = { broker: 'redis', redis: redis.url, redisStreams };
    return { options, drop: () => redis.drop() };
  },
  postgres: async () => {
    const database = await createDatabase();
    const options: SseModuleOptions = {
      broker: 'event-table',
      postgres: database.url,
      eventTable: { install: true },
      failFast: true,
    };
    return { options, drop: () => database.drop() };
  },
};

describe.each(Object.entries(BROKERS))(
  "After the runs of channels have ended, with broker: '%s'",
  (name, start) => {
    let broker: Broker;
    let first: TestApp;

    beforeAll(async () => void (broker = await start()));
    afterEach(closeApps);
    afterAll(() => broker.drop());

    const startInstance = () =>
      startApp({ controllers: [RunsController], options: broker.options });

    /** Ends a run of both channels; the instance knows of it when this resolves. */
    const endRuns = async ({ sse, connect }: TestApp) => {
      const witness = await connect('/both');
      for (const channel of ['a', 'b']) {
        await sse.send(channel, `${channel} of a run that ends`);
        await sse.complete(channel);
      }
      await witness.closed;
    };

    /** Where a client returns to: its instance, or one that has read nothing yet. */
    const returnTo = async (where: string) => (where === 'the same' ? first : startInstance());

    const wheres = name === 'memory' ? ['the same'] : ['the same', 'another'];

    describe.each(wheres)('and for a client that returns to %s instance,', (where) => {
      it.each(PATHS)(
        'the next run begins at %s when the client came after the end',
        async (path) => {
          first = await startInstance();
          await endRuns(first);
          const opened = await first.connect(path);
          const { lastEventId } = opened;
          expect(lastEventId).not.toBe('');
          await opened.close();
          const second = await returnTo(where);
          // Still between two runs.
          const waiting = await second.connect(path, { lastEventId });
          expect(waiting.opened.status).toBe(200);
          expect(waiting.lastEventId).toBe(lastEventId);
          const again = await waiting.reconnect();
          await first.sse.send('a', 'a of the next run');
          expect((await again.next()).data).toBe('a of the next run');
          expect(again.events).toHaveLength(1);
          // It was away when the next run began.
          const late = await second.connect(path, { lastEventId });
          expect((await late.next()).data).toBe('a of the next run');
          await first.sse.send('a', 'live');
          expect((await late.next()).data).toBe('live');
          expect((await again.next()).data).toBe('live');
        },
      );

      it.each(PATHS)('%s answers 204 when the client has received the end', async (path) => {
        first = await startInstance();
        const client = await first.connect(path);
        await endRuns(first);
        await client.closed;
        await first.sse.send('a', 'a of the next run');
        const second = await returnTo(where);
        const again = await second.connect(path, { lastEventId: client.lastEventId });
        expect(again.opened.status).toBe(204);
      });

      it('each of several channels has an end of its own', async () => {
        first = await startInstance();
        await endRuns(first);
        const client = await first.connect('/both');
        await first.sse.send('b', 'b1');
        await first.sse.complete('b');
        expect((await client.take(2)).map(({ data }) => data)).toEqual(['b1', '[DONE]']);
        await client.close();
        await first.sse.send('b', 'b of the run after');
        await first.sse.send('a', 'a of the next run');
        const second = await returnTo(where);
        const again = await second.connect('/both', { lastEventId: client.lastEventId });
        expect((await again.next()).data).toBe('a of the next run');
        await first.sse.send('b', 'b2');
        await first.sse.complete('a');
        expect((await again.next()).data).toBe('[DONE]');
        await again.closed;
        expect(again.events).toHaveLength(2);
        const ended = await second.connect('/both', { lastEventId: again.lastEventId });
        expect(ended.opened.status).toBe(204);
      });
    });
  },
);

describe('A client that was away when its run ended', () => {
  afterEach(closeApps);

  it('receives the end when the events before it are no longer retained', async () => {
    const { connect, sse } = await startApp({
      controllers: [RunsController],
      options: { retain: { events: 2 } },
    });
    const client = await connect('/a');
    await client.close();
    for (let i = 0; i < 5; i++) {
      await sse.send('a', `${i}`);
    }
    await sse.complete('a');
    const again = await client.reconnect();
    expect((await again.next()).type).toBe('sse:reset');
    expect((await again.next()).data).toBe('[DONE]');
    await again.closed;
    expect((await again.reconnect()).opened.status).toBe(204);
  });

  it('waits for the next run when its position is unknown', async () => {
    const { connect, sse } = await startApp({ controllers: [RunsController] });
    await sse.complete('a');
    const client = await connect('/a', { lastEventId: 'unknown' });
    expect((await client.next()).type).toBe('sse:reset');
    await client.close();
    const again = await client.reconnect();
    await sse.send('a', 'next run');
    expect((await again.next()).data).toBe('next run');
    await until(() => again.events.length === 1);
  });
});
