import { Controller, Inject, Sse } from '@nestjs/common';
import { delay, map, of, type Observable } from 'rxjs';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  SseChannel,
  SseEvents,
  SseService,
  type SseEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class NewsController {
  constructor(@Inject(SseService) private readonly sse: SseService) {}

  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('own')
  @SseChannel()
  own() {
    return of({ data: { id: 7n } }, 8n, { data: 'as it is' }, { type: 'none' });
  }

  @Sse('iterable')
  @SseChannel()
  async *iterable() {
    yield { data: [9n] };
  }

  @Sse('polled')
  @SseChannel()
  polled() {
    return this.sse.poll(() => ({ id: 7n }) as object, { interval: 5 });
  }

  @Sse('mapped')
  @SseChannel('news')
  mapped(@SseEvents() events: Observable<SseEvent<object>>) {
    return events.pipe(
      map((event) => ({ ...event, type: 'renamed' })),
      delay(1),
    );
  }

  @Sse('key')
  @SseChannel('key', { source: 'cache', interval: 5 })
  key() {}
}

/** BigInts as text, which JSON has not. */
const serialize = (data: unknown): string =>
  JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));

describe.each(ADAPTERS)('Data that is not a string, on %s,', (adapter) => {
  afterEach(closeApps);

  const start = async (options: SseModuleOptions) => {
    const app = await startApp({ adapter, options, controllers: [NewsController] });
    const client = await app.connect('/news');
    await until(() => app.sse.stats().connections === 1);
    return { ...app, client };
  };

  it('is written by `serialize` when send() gets it', async () => {
    const { sse, client, connect } = await start({ serialize });
    await sse.send('news', { id: 7n });
    await sse.send('news', 'as it is');
    await sse.send('news', [1n], { serialize: () => 'for this event' });
    expect((await client.take(3)).map(({ data }) => data)).toEqual([
      '{"id":"7n"}',
      'as it is',
      'for this event',
    ]);
    const keys = await connect('/key');
    await until(() => sse.stats().connections === 2);
    await sse.sendKey('key', { id: 8n });
    expect((await keys.next()).data).toBe('{"id":"8n"}');
  });

  it('is written by `serialize` when a handler emits it', async () => {
    const { connect } = await start({ serialize });
    const client = await connect('/own');
    expect((await client.take(3)).map(({ data }) => data)).toEqual([
      '{"id":"7n"}',
      '"8n"',
      'as it is',
    ]);
    expect((await (await connect('/iterable')).next()).data).toBe('["9n"]');
  });

  it('is written by `serialize` when a polled function returns it', async () => {
    const { connect } = await start({ serialize });
    const client = await connect('/polled');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['{"id":"7n"}', '{"id":"7n"}']);
  });

  it('is written by `serialize` when it is a value of a cache', async () => {
    const values = new Map<string, unknown>();
    const { connect } = await start({ serialize, cache: values });
    const client = await connect('/key');
    values.set('key', { id: 7n });
    expect((await client.next()).data).toBe('{"id":"7n"}');
  });

  it('is not written again when a handler passes on the data of an event', async () => {
    const wrap = (data: unknown): string => JSON.stringify({ wrapped: data });
    const { sse, connect } = await start({ serialize: wrap });
    const client = await connect('/mapped');
    await sse.send('news', { id: 1 });
    expect(await client.next()).toMatchObject({ data: '{"wrapped":{"id":1}}', type: 'renamed' });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('not this one');
      },
      /threw an error\.$/,
    ],
    ['returns nothing', () => undefined, /returned undefined/],
    [
      'returns a promise',
      () => Promise.reject(new Error('later')),
      /returned a promise\. It must return a string at once/,
    ],
    ['returns an object', () => ({}), /returned an object/],
  ])('is refused when `serialize` %s, and nothing is sent', async (_, broken, message) => {
    const { sse, client } = await start({ serialize: broken as () => string });
    await expect(sse.send('news', { id: 1 })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringMatching(message),
    });
    await sse.send('news', 'after');
    expect((await client.next()).data).toBe('after');
  });

  it("is refused when the event's `serialize` is not a function", async () => {
    const { sse } = await start({});
    await expect(sse.send('news', {}, { serialize: 'json' as never })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    });
  });
});

it('A module whose `serialize` is not a function does not start', async () => {
  await expect(
    (async () => startApp({ options: { serialize: 'json' as never } }))(),
  ).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('`serialize`'),
  });
});
