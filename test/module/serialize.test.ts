import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('key')
  @SseChannel('key', { source: 'cache', interval: 5 })
  key() {}
}

/** BigInts as text, which JSON has not. */
const serialize = (data: unknown): string =>
  JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));

describe.each(ADAPTERS)('What is published on %s', (adapter) => {
  afterEach(closeApps);

  const start = async (options: SseModuleOptions) => {
    const app = await startApp({ adapter, options, controllers: [NewsController] });
    const client = await app.connect('/news');
    await until(() => app.sse.stats().connections === 1);
    return { ...app, client };
  };

  it('is written by serialize, but for strings', async () => {
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

  it.each([
    [
      'throws',
      () => {
        throw new Error('not this one');
      },
      /threw: not this one/,
    ],
    ['returns nothing', () => undefined, /returned undefined/],
    ['returns a promise', () => Promise.reject(new Error('later')), /must return a string at once/],
    ['returns an object', () => ({}), /returned an object/],
  ])('is refused where serialize %s, and nothing is sent', async (_, broken, message) => {
    const { sse, client } = await start({ serialize: broken as () => string });
    await expect(sse.send('news', { id: 1 })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringMatching(message),
    });
    await sse.send('news', 'after');
    expect((await client.next()).data).toBe('after');
  });

  it('is refused where an event brings a serialize that is no function', async () => {
    const { sse } = await start({});
    await expect(sse.send('news', {}, { serialize: 'json' as never })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    });
  });
});

it('A module whose serialize is no function does not start', async () => {
  await expect(
    (async () => startApp({ options: { serialize: 'json' as never } }))(),
  ).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('`serialize`'),
  });
});
