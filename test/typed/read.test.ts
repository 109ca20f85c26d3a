import { Controller, Logger, Sse } from '@nestjs/common';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { filter, firstValueFrom, take, toArray, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  defineChannel,
  SseChannel,
  SseEvents,
  unchecked,
  type ChannelSink,
  type ChannelSource,
  type EventOf,
  type SourceEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { connect, stopAll } from '../event-table/event-table-rig.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { startRedis } from '../support/redis.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const Job = defineChannel('job:{id}', {
  message: z.object({ percent: z.number(), unit: z.string().default('%') }),
  failed: z.object({ why: z.string() }),
  count: z.number(),
  text: z.string(),
  note: unchecked<{ text: string }>(),
});

@Controller('jobs/:id')
class JobsController {
  @Sse('sent')
  @SseChannel(Job)
  sent() {}

  @Sse('failed')
  @SseChannel(Job)
  failed(@SseEvents() events$: Observable<EventOf<typeof Job>>) {
    return events$.pipe(filter((event) => event.type === 'failed'));
  }

  @Sse('key')
  @SseChannel(Job, { source: 'cache', interval: 5 })
  key() {}

  @Sse('count')
  @SseChannel(Job, { source: 'cache', interval: 5, type: 'count' })
  count() {}

  @Sse('passed')
  @SseChannel(Job, { source: 'cache', interval: 5, invalid: 'pass' })
  passed() {}
}

@Controller()
class PostgresController {
  @Sse('notified/:id')
  @SseChannel(Job, { source: 'postgres' })
  notified() {}

  @Sse('rows/:id')
  @SseChannel(Job, { source: 'event-table' })
  rows() {}
}

/** What a client has received, without the positions. */
const contentOf = (events: SseTestClient['events']) =>
  events.map(({ type, data }) => (type === 'message' ? data : `${type} ${data}`));

const RESET = (channel: string) => `sse:reset {"channel":"${channel}","reason":"skipped-event"}`;

let lines: string[];
beforeEach(() => {
  lines = [];
  jest.spyOn(Logger.prototype, 'error').mockImplementation((line) => void lines.push(String(line)));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
  await stopAll();
});

describe.each(ADAPTERS)('An endpoint of a definition, on %s', (adapter) => {
  it('streams what to() sends to the channel of the path', async () => {
    const { sse, connect: open } = await startApp({ adapter, controllers: [JobsController] });
    const client = await open('/jobs/a%20b/sent');
    const handled = await open('/jobs/a%20b/failed');
    const job = sse.to(Job, { id: 'a b' });
    await job.send('message', { percent: 1 });
    await job.send('failed', { why: 'tired' });
    await job.send('count', 5);
    expect(contentOf(await client.take(3))).toEqual([
      '{"percent":1,"unit":"%"}',
      'failed {"why":"tired"}',
      'count 5',
    ]);
    expect(contentOf(await handled.take(1))).toEqual(['failed {"why":"tired"}']);
  });

  it('streams what the schemas make of a key, and a reset in place of what does not fit', async () => {
    const { sse, connect: open } = await startApp({ adapter, controllers: [JobsController] });
    const client = await open('/jobs/1/key');
    const passed = await open('/jobs/1/passed');
    const values = ['{"percent": 1, "password": "p"}', 'no JSON', '{"percent":"p4ssw0rd"}'];
    for (const value of [...values, '{"percent":2}']) await sse.sendKey('job:1', value);
    await sse.sendKey('job:1', { text: '  as it is' }, { type: 'note' });
    await sse.sendKey('job:1', 'x', { type: 'unknown' });
    expect(contentOf(await client.take(6))).toEqual([
      '{"percent":1,"unit":"%"}',
      RESET('job:1'),
      RESET('job:1'),
      '{"percent":2,"unit":"%"}',
      'note {"text":"  as it is"}',
      RESET('job:1'),
    ]);
    expect(contentOf(await passed.take(6))).toEqual([
      ...values,
      '{"percent":2}',
      'note {"text":"  as it is"}',
      'unknown x',
    ]);
    expect(lines).toEqual([
      expect.stringMatching(/^An event of the channel "job:1" was left out: .* Clients receive/),
      expect.stringMatching(/percent: /),
      expect.stringMatching(/no event "unknown"/),
    ]);
    expect(lines.join()).not.toContain('p4ssw0rd');
  });

  it('reads a number where the schema wants one, and ends with the run', async () => {
    const { sse, connect: open } = await startApp({ adapter, controllers: [JobsController] });
    const client = await open('/jobs/1/count');
    for (const value of ['5', '5e1', 'five', '"5"', '[DONE]']) await sse.sendKey('job:1', value);
    expect(contentOf(await client.take(5))).toEqual([
      'count 5',
      'count 50',
      RESET('job:1'),
      RESET('job:1'),
      'count [DONE]',
    ]);
    await client.closed;
  });
});

describe('Channels of a definition that other systems feed', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await createDatabase()));
  afterAll(() => database.drop());

  const start = (options: SseModuleOptions = {}) =>
    startApp({
      controllers: [PostgresController],
      options: {
        postgres: database.url,
        eventTable: { install: true },
        failFast: true,
        ...options,
      },
    });

  it('checks notifications', async () => {
    const { sse, connect: open } = await start();
    const client = await open('/notified/1');
    await sse.notify('job:1', { percent: 1, password: 'p' });
    await sse.notify('job:1', { percent: '1' });
    await sse.notify('job:1', { percent: 2 });
    expect(contentOf(await client.take(3))).toEqual([
      '{"percent":1,"unit":"%"}',
      RESET('job:1'),
      '{"percent":2,"unit":"%"}',
    ]);
    expect(lines).toHaveLength(1);
  });

  it('checks rows, live and when a client returns', async () => {
    const { connect: open } = await start();
    const client = await open('/rows/1');
    const sql = await connect(database.url);
    const insert = (type: string | null, data: string) =>
      sql.query("select sse.publish('job:1', $1, $2)", [data, type]);
    await insert(null, '{"percent": 1, "password": "p"}');
    await insert('failed', '{}');
    await insert('failed', '{"why":"tired","password":"p"}');
    await insert('text', '5');
    const came = ['{"percent":1,"unit":"%"}', RESET('job:1'), 'failed {"why":"tired"}', 'text 5'];
    expect(contentOf(await client.take(4))).toEqual(came);

    // Another instance has none of them in its log.
    const other = await start();
    const returned = await other.connect('/rows/1', { lastEventId: client.opening!.id });
    expect(contentOf(await returned.take(4))).toEqual(came);
    expect(returned.events.map(({ id }) => id)).toEqual(client.events.map(({ id }) => id));
  });

  it('checks keys in Redis, sent by to() as well', async () => {
    const redis = await startRedis();
    try {
      const { sse, connect: open } = await startApp({
        controllers: [JobsController],
        options: { redis: redis.url },
      });
      const client = await open('/jobs/1/key');
      const job = sse.to(Job, { id: 1 });
      await job.sendKey('failed', { why: 'tired' });
      await sse.sendKey('job:1', '{}');
      await job.sendKey('message', { percent: 1 });
      await expect(job.sendKey('count', '1' as never)).rejects.toMatchObject({
        code: 'INVALID_EVENT',
      });
      expect(contentOf(await client.take(3))).toEqual([
        'failed {"why":"tired"}',
        RESET('job:1'),
        '{"percent":1,"unit":"%"}',
      ]);
    } finally {
      await closeApps();
      await redis.stop();
    }
  });

  it("checks a source of the application's, which need not expect it", async () => {
    const sinks: ChannelSink[] = [];
    const calls: string[] = [];
    const current: SourceEvent = { data: '{"percent":0}' };
    const source: ChannelSource = {
      open: (channel, sink) => {
        calls.push(`open ${channel}`);
        sinks.push(sink);
        sink.live();
        return {
          current: () => current,
          resume: () => void calls.push('resume'),
          pause: () => void calls.push('pause'),
          close: () => void calls.push('close'),
        };
      },
    };
    const { sse } = await startApp({ options: { linger: 0 } });
    const read = (count: number) =>
      firstValueFrom(sse.streamOf(Job, { id: 1 }, { source }).pipe(take(count), toArray()));
    const [first, second] = [read(5), read(5)];
    await until(() => sinks.length === 1);
    sinks[0]!.append({ data: '{"percent":1}' });
    sinks[0]!.append({ data: '{"percent":"x"}' });
    sinks[0]!.append({ data: 5 } as never);
    sinks[0]!.append({ data: '{"why":"tired"}', type: 'failed' });
    const came = await first;
    expect(await second).toEqual(came);
    expect(came.map(({ type, data }) => [type, data])).toEqual([
      [undefined, { percent: 0, unit: '%' }],
      [undefined, { percent: 1, unit: '%' }],
      ['sse:reset', expect.anything()],
      ['sse:reset', expect.anything()],
      ['failed', { why: 'tired' }],
    ]);
    await until(() => calls.includes('close'));
    // One channel for both readers.
    expect(calls).toEqual(['open job:1', 'resume', 'pause', 'close']);
  });
});

describe('streamOf() and pollOf()', () => {
  const News = defineChannel('news', { message: z.object({ n: z.number() }) });

  it('read the channel that the parameters name, from where the options say', async () => {
    const { sse } = await startApp({});
    const id = await sse.to(News).send('message', { n: 1 });
    await sse.to(News).send('message', { n: 2 });
    await sse.to(Job, { id: 7 }).send('note', { text: 'a' });
    const news = await firstValueFrom(sse.streamOf(News, { lastEventId: id }));
    expect(news).toMatchObject({ channel: 'news', data: { n: 2 } });
    const notes = sse.streamOf(Job, { id: 7 }, { lastEventId: 'earliest' });
    expect(await firstValueFrom(notes)).toMatchObject({ channel: 'job:7', type: 'note' });
    const live = firstValueFrom(sse.streamOf(News));
    await sse.to(News).send('message', { n: 3 });
    expect(await live).toMatchObject({ data: { n: 3 } });
  });

  it('refuse what has no effect, and what is no definition', async () => {
    const { sse } = await startApp({});
    const refused = expect.objectContaining({ code: 'INVALID_OPTION' });
    expect(() => sse.streamOf(News, { invalid: 'skip' })).toThrow(refused);
    expect(() => sse.streamOf(News, { source: 'cache', invalid: 'drop' as never })).toThrow(
      refused,
    );
    expect(() => sse.stream('news', { source: 'cache', invalid: 'pass' })).toThrow(refused);
    expect(() => sse.streamOf('news' as never)).toThrow(refused);
    expect(() => sse.pollOf('news' as never, 'message' as never, () => null)).toThrow(refused);
    expect(() => sse.pollOf(News, 'message', 5 as never)).toThrow(refused);
    expect(() => sse.pollOf(News, 'massage' as never, () => null)).toThrow(
      expect.objectContaining({ code: 'INVALID_EVENT' }),
    );
    expect(() => sse.streamOf(Job, { id: '' })).toThrow(
      expect.objectContaining({ code: 'INVALID_CHANNEL' }),
    );
    for (const channel of ['news', News, { ...News, template: '' }, { template: 'news' }]) {
      const options = channel === 'news' || channel === News ? { invalid: 'skip' as const } : {};
      class Wrong {
        news() {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Wrong.prototype, 'news')!;
      Sse('news')(Wrong.prototype, 'news', descriptor);
      const start = async () => {
        SseChannel(channel as typeof News, options)(Wrong.prototype, 'news', descriptor);
        Object.defineProperty(Wrong.prototype, 'news', descriptor);
        Controller()(Wrong);
        await startApp({ controllers: [Wrong] });
      };
      await expect(start()).rejects.toEqual(refused);
    }
  });

  it('emit what the schema makes of polled values, and log what does not fit', async () => {
    const { sse } = await startApp({});
    const values = [{ percent: 1 }, { percent: 'p4ssw0rd' }, null, { percent: 2 }] as {
      percent: number;
    }[];
    const polled = sse.pollOf(Job, 'message', () => values.shift(), { interval: 1 });
    const came = await firstValueFrom(polled.pipe(take(2), toArray()));
    expect(came.map(({ data }) => data)).toEqual([
      { percent: 1, unit: '%' },
      { percent: 2, unit: '%' },
    ]);
    expect(lines.filter((line) => line.includes('percent: '))).toHaveLength(1);
    expect(lines.join()).not.toContain('p4ssw0rd');
    const typed = sse.pollOf(Job, 'count', async () => 5, { interval: 1 });
    expect(await firstValueFrom(typed)).toMatchObject({ type: 'count', data: '5' });
  });
});
