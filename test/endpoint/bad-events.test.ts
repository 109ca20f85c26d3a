import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { RawStream } from './raw-stream.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

describe.each(ADAPTERS)('Events on %s', (adapter) => {
  const open: RawStream[] = [];

  afterEach(async () => {
    await Promise.all(open.splice(0).map((stream) => stream.close()));
    await closeApps();
  });

  const start = async (options = {}) => {
    const app = await startApp({ adapter, options, controllers: [NewsController] });
    const stream = await RawStream.open(`${app.url}/news`);
    open.push(stream);
    await stream.textOnce((text) => text.endsWith('\n\n'));
    return { ...app, stream };
  };

  const circular: Record<string, unknown> = {};
  circular['self'] = circular;

  it.each([
    ['type', 'a\rb'],
    ['type', 'a\nb'],
    ['type', 'a\r\nevent: b'],
    ['type', 'a\0b'],
    ['type', 7],
    ['type', 'sse:reset'],
    ['id', 'a\rb'],
    ['id', 'a\nb'],
    ['id', 'a\n\ndata: forged'],
    ['id', 'a\0b'],
    ['id', ''],
    ['id', 'x'.repeat(1_025)],
    ['id', 'a\x01b'],
    ['id', 'a\x7f'],
    ['id', 'a\tb'],
    ['id', ' a'],
    ['id', 'a '],
    ['id', ' '],
    ['id', 'a\ud800'],
    ['id', 'earliest'],
    ['retry', -1],
    ['retry', 0.5],
    ['retry', NaN],
  ])('with %s %j are refused, and nothing is written', async (field, value) => {
    const { sse, stream } = await start();
    const before = stream.text;
    await expect(sse.send('news', 'data', { [field]: value })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringContaining(field),
    });
    await sse.send('news', 'after');
    expect(await stream.event(0)).toMatchObject({ data: 'after' });
    expect(stream.text.slice(before.length)).toMatch(/^data: after\nid: [^\n]+\n\n$/);
  });

  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', { value: 1n }],
    ['a circle', circular],
  ])('are refused when their data is %s', async (_, data) => {
    const { sse, stream } = await start();
    await expect(sse.send('news', data)).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    await sse.send('news', 'after');
    expect(await stream.event(0)).toMatchObject({ data: 'after' });
  });

  it.each([
    ['CR', 'a\rb', 'a\nb'],
    ['LF', 'a\nb', 'a\nb'],
    ['CRLF', 'a\r\nb', 'a\nb'],
    ['LF CR', 'a\n\rb', 'a\n\nb'],
    ['a line end at its end', 'a\n', 'a\n'],
    ['a frame in it', 'a\n\nevent: forged\ndata: x\n\n', 'a\n\nevent: forged\ndata: x\n\n'],
    ['U+2028', 'a\u2028b\u2029c\u0085d', 'a\u2028b\u2029c\u0085d'],
    ['emoji', '🙂👩‍👩‍👧🇪🇺', '🙂👩‍👩‍👧🇪🇺'],
    ['NUL', 'a\0b', 'a\0b'],
    ['a space first', '  a', '  a'],
    ['a colon', ': a: b', ': a: b'],
    ['nothing', '', ''],
    ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['a byte order mark', '\ufeffa', '\ufeffa'],
  ])('arrive with %s in their data', async (_, data, expected) => {
    const { sse, stream, connect } = await start();
    const other = await connect('/news');
    await until(() => other.lastEventId);
    await sse.send('news', data);
    await sse.send('news', 'after');
    expect(await stream.event(1)).toMatchObject({ data: 'after' });
    expect(stream.events).toHaveLength(2);
    expect(stream.events[0]!.data).toBe(expected);
    expect((await other.next()).data).toBe(expected);
  });

  it('arrive as JSON when their data is not a string', async () => {
    const { sse, stream } = await start();
    const values = [
      0,
      false,
      null,
      [],
      { text: 'a\nb' },
      new Date(0),
      { big: 'x', none: undefined },
    ];
    for (const value of values) {
      await sse.send('news', value);
    }
    await stream.event(values.length - 1);
    expect(stream.events.map(({ data }) => data)).toEqual(
      values.map((value) => JSON.stringify(value)),
    );
  });

  it('arrive with 1 MiB of data, and are refused with one byte more', async () => {
    const { sse, stream } = await start();
    const data = '€'.repeat(349_525) + 'x';
    expect(Buffer.byteLength(data)).toBe(1_048_576);
    await sse.send('news', data);
    expect((await stream.event(0)).data).toBe(data);
    await expect(sse.send('news', `${data}x`)).rejects.toEqual(
      expect.objectContaining({
        code: 'EVENT_TOO_LARGE',
        message: expect.stringMatching(/1048577 .*`limits\.eventSize` .*1048576/),
      }),
    );
  });

  it('arrive complete when one is larger than all that the channel retains', async () => {
    const { sse, stream } = await start({ retain: { bytes: 1_000 } });
    const data = ['x'.repeat(500_000), 'y'.repeat(500_000), 'z'];
    for (const [index, each] of data.entries()) {
      await sse.send('news', each);
      await stream.event(index);
    }
    expect(stream.events.map((event) => event.data)).toEqual(data);
  });
});
