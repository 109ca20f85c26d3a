import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { DialectFeed } from '../../lib/delivery/dialect.js';
import { SseChannel, type ChannelSink, type SseModuleOptions } from '../../lib/index.js';
import { RawStream } from '../endpoint/raw-stream.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

let sink: ChannelSink;
const feed: DialectFeed = {
  dialect: { headers: { 'x-dialect': 'v1' }, reset: ['{"type":"error"}', '[DONE]'] },
  close: () => undefined,
};
const source = {
  open(_channel: string, opened: ChannelSink): DialectFeed {
    (sink = opened).live();
    return feed;
  },
};

@Controller()
class AnswersController {
  @Sse('answers/:id', { method: RequestMethod.POST })
  @SseChannel('answer:{id}', { source })
  ask() {}

  @Sse('answers/:id')
  @SseChannel('answer:{id}', { source })
  follow() {}

  @Sse('plain')
  @SseChannel('plain')
  plain() {}
}

describe.each(ADAPTERS)('A stream in a dialect on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options: SseModuleOptions = {}) =>
    startApp({ adapter, options, controllers: [AnswersController] });

  it('begins without data, has its own headers, and ends with the channel', async () => {
    const { url } = await start();
    const stream = await RawStream.open(`${url}/answers/1`, { method: 'POST' });
    expect(stream.response.headers.get('x-dialect')).toBe('v1');
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
    sink.append({ data: '{"type":"start"}' });
    sink.append({ data: '[DONE]', end: true });
    await stream.closed;
    expect(stream.text).toMatch(
      /^retry: \d+\nevent: sse:open\n(id: .+\n)?\ndata: \{"type":"start"\}\nid: .+\n\ndata: \[DONE\]\nid: .+\n\n$/,
    );
    expect(stream.response.bodyUsed).toBe(true);
  });

  it('has an error in place of a reset, and ends after it', async () => {
    const { url } = await start();
    const stream = await RawStream.open(`${url}/answers/1`, {
      headers: { 'last-event-id': 'of another log' },
    });
    await stream.closed;
    expect(stream.events.map(({ event, data }) => [event, data])).toEqual([
      [undefined, '{"type":"error"}'],
      [undefined, '[DONE]'],
    ]);
    expect(stream.text).not.toContain('sse:reset');
  });

  it.each(['a shutdown', 'disconnect()'])(
    'breaks at %s, as an end would look whole',
    async (end) => {
      const app = await start();
      const response = await fetch(`${app.url}/answers/1`);
      const text = response.text();
      text.catch(() => undefined);
      await until(() => app.sse.stats().connections === 1);
      sink.append({ data: 'half' });
      if (end === 'a shutdown') {
        await app.close();
      } else {
        await app.sse.disconnect({ channel: 'answer:1' });
      }
      await expect(text).rejects.toThrow('terminated');
    },
  );

  it('that finds no room is refused with 503, unless its client knows how to return', async () => {
    const { url, connect, sse } = await start({ limits: { connections: 1 } });
    await connect('/plain');
    await until(() => sse.stats().connections === 1);
    const refused = await fetch(`${url}/answers/1`, { method: 'POST' });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(15);
    expect(refused.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await refused.text()).toBe('There is no event stream for now. Try again later.\n');
    const headers = { accept: 'text/event-stream' };
    const away = await fetch(`${url}/answers/1`, { method: 'POST', headers });
    expect(away.status).toBe(200);
    expect(await away.text()).toMatch(/^retry: \d+\nevent: sse:open\n\n$/);
    expect((await fetch(`${url}/answers/1`)).status).toBe(200);
  });
});

describe('A stream without a dialect', () => {
  afterEach(closeApps);

  it('beside one with a dialect stays as it is', async () => {
    const { url, sse } = await startApp({ controllers: [AnswersController] });
    const stream = await RawStream.open(`${url}/plain`);
    await until(() => sse.stats().connections === 1);
    await sse.send('plain', 'event');
    await until(() => stream.events.length === 1);
    expect(stream.opening?.event).toBe('sse:open');
    expect(stream.response.headers.has('x-dialect')).toBe(false);
  });
});
