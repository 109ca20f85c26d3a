import { Controller, RequestMethod, Sse, type Type } from '@nestjs/common';
import { of } from 'rxjs';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  channelName,
  defineChannel,
  LastEventId,
  requestedChannels,
  SseChannel,
  unchecked,
  type ChannelSink,
  type ChannelSource,
} from '../../lib/index.js';
import { labelOf } from '../../lib/channel/composite-id.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { RawStream } from './raw-stream.js';

const asked: string[] = [];
const Room = defineChannel('room:{id}', { message: unchecked<string>() });

const FEEDS = new Map<string, ChannelSink>();

/** A source of an application's own. */
const FEED: ChannelSource = {
  open(channel, sink) {
    FEEDS.set(channel, sink);
    sink.live();
    return { close: () => undefined };
  },
};

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    authorize: (_request, channel) => {
      asked.push(channel);
      return !channel.startsWith('secret');
    },
  })
  stream() {}

  @Sse('only', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels({ limit: 3, only: ['news', 'job:{id}', Room] }))
  only() {}

  @Sse('sources', { method: RequestMethod.ALL })
  @SseChannel(
    requestedChannels({
      only: ['news', { channel: 'feed:{id}', source: FEED }, { channel: '{key}', source: 'cache' }],
    }),
  )
  sources() {}

  /** Tells where its handler is told that the client is. */
  @Sse('told', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels({ only: ['news', 'other'] }))
  told(@LastEventId() position: string | undefined) {
    return of(position ?? 'none');
  }
}

const JOBS = Array.from({ length: 160 }, (_, id) => channelName('job:{id}', { id: `${id}&= ä` }));

function query(names: readonly string[], more = ''): string {
  return `?${new URLSearchParams(names.map((name): [string, string] => ['channel', name]))}${more}`;
}

/** How a request names its channels. */
const WAYS = {
  GET: (url: string, names: readonly string[]) => RawStream.open(url + query(names)),
  POST: (url: string, names: readonly string[]) => post(url, { channels: names }),
};

function post(url: string, body: unknown): Promise<RawStream> {
  return RawStream.open(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  });
}

async function refusal(stream: RawStream): Promise<unknown> {
  await stream.closed;
  return [stream.response.status, (JSON.parse(stream.text) as { message: string }).message];
}

describe.each(ADAPTERS)('requestedChannels() on %s', (adapter) => {
  afterEach(async () => {
    asked.length = 0;
    await closeApps();
  });

  const start = (): Promise<TestApp> => startApp({ adapter, controllers: [StreamController] });

  it.each(['GET', 'POST'] as const)('streams the channels that a %s names', async (way) => {
    const { sse, url } = await start();
    const stream = await WAYS[way](`${url}/stream`, [...JOBS, JOBS[0]!]);
    expect(stream.response.status).toBe(200);
    await stream.textOnce((text) => text.includes('sse:open'));
    const { channels, labels } = JSON.parse(stream.opening!.data) as {
      channels: string[];
      labels: object;
    };
    expect(channels).toEqual(JOBS);
    expect(Object.values(labels)).toEqual(JOBS);
    for (const name of JOBS) {
      await sse.send(name, name);
    }
    await stream.event(JOBS.length - 1);
    // In order of arrival, and with the position in each channel.
    expect(stream.events.map(({ data }) => data)).toEqual(JOBS);
    expect(stream.events.at(-1)!.id!.split(',')).toHaveLength(JOBS.length);
    await stream.close();
  });

  it('leaves out what it refuses, and tells the client', async () => {
    const { sse, url } = await start();
    const stream = await post(`${url}/stream`, { channels: ['secret:1', 'news', 'secret:2'] });
    await sse.send('secret:1', 'a secret');
    await sse.send('news', 'news');
    expect((await stream.event(1)).data).toBe('news');
    expect(JSON.parse(stream.opening!.data)).toMatchObject({ channels: ['news'] });
    expect(stream.events[0]).toMatchObject({
      event: 'sse:denied',
      data: '{"channels":["secret:1","secret:2"]}',
    });
    await stream.close();
  });

  it('answers 403 when it refuses all', async () => {
    const { url } = await start();
    for (const way of ['GET', 'POST'] as const) {
      expect(await refusal(await WAYS[way](`${url}/stream`, ['secret:1', 'secret:2']))).toEqual([
        403,
        expect.stringContaining('none'),
      ]);
    }
  });

  it('refuses names that are not in `only`', async () => {
    const { sse, url } = await start();
    const stream = await WAYS.GET(`${url}/only`, ['room:1', 'secret:1', 'job:2']);
    await sse.send('job:2', 'done');
    expect((await stream.event(1)).data).toBe('done');
    expect(stream.events[0]!.data).toBe('{"channels":["secret:1"]}');
    await stream.close();
    const none = await refusal(await WAYS.GET(`${url}/only`, ['job:', 'newsreel']));
    expect(none).toEqual([403, expect.stringContaining('none')]);
  });

  it.each(['GET', 'POST'] as const)(
    "refuses the module's own streams to a %s, and asks nobody about them",
    async (way) => {
      const { sse, url } = await start();
      const own = ['sse:control', 'sse:run:chat', 'sse:'];
      const stream = await WAYS[way](`${url}/stream`, ['news', ...own]);
      await sse.send('sse:control', 'a command');
      await sse.send('news', 'news');
      expect((await stream.event(1)).data).toBe('news');
      expect(JSON.parse(stream.opening!.data)).toMatchObject({ channels: ['news'] });
      expect(stream.events[0]!.data).toBe(JSON.stringify({ channels: own }));
      expect(asked).toEqual(['news']);
      await stream.close();
      expect(await refusal(await WAYS[way](`${url}/sources`, own))).toEqual([
        403,
        expect.stringContaining('none'),
      ]);
    },
  );

  const [NEWS, OTHER] = [`${labelOf('news')}:1`, `${labelOf('other')}:2`];

  it.each([
    ['the body', { lastEventId: NEWS }, NEWS],
    ['its `from`', { from: { news: '1', other: '2' } }, `${OTHER},${NEWS}`],
    [
      'both',
      { lastEventId: `${NEWS},${OTHER}`, from: { news: 'earliest' } },
      `${labelOf('news')}:earliest,${OTHER}`,
    ],
    ['the query, when the body has none', {}, OTHER],
  ])('tells @LastEventId() the position in %s', async (_, body, position) => {
    const { url } = await start();
    const stream = await post(`${url}/told?lastEventId=${OTHER}`, {
      channels: ['news', 'other'],
      ...body,
    });
    expect((await stream.event(0)).data).toBe(position);
    await stream.close();
  });

  it('tells @LastEventId() the position in the query of a GET, and from its beginning', async () => {
    const { url } = await start();
    for (const [more, position] of [
      ['', 'none'],
      [`&lastEventId=${NEWS}`, NEWS],
      ['&from=1,news', NEWS],
      [`&lastEventId=${NEWS}&earliest=other`, `${NEWS},${labelOf('other')}:earliest`],
    ] as const) {
      const stream = await RawStream.open(`${url}/told${query(['news', 'other'], more)}`);
      expect((await stream.event(0)).data).toBe(position);
      await stream.close();
    }
  });

  it('reads channels of several sources', async () => {
    const { sse, url } = await start();
    const names = ['news', 'key', 'feed:1'];
    const stream = await post(`${url}/sources`, { channels: names, ids: 'channel' });
    await stream.textOnce((text) => text.includes('sse:open'));
    const { labels } = JSON.parse(stream.opening!.data) as { labels: Record<string, string> };
    await sse.send('news', 'sent');
    await sse.sendKey('key', 'taken');
    FEEDS.get('feed:1')!.append({ data: 'appended' });
    // The broker's channel of that name is another one.
    await sse.send('key', 'not here');
    await stream.event(2);
    expect(
      Object.fromEntries(stream.events.map(({ id, data }) => [labels[id!.split(':')[0]!], data])),
    ).toEqual({ news: 'sent', key: 'taken', 'feed:1': 'appended' });
    await stream.close();
  });

  it('asks about each channel once, and not about others', async () => {
    const { url } = await start();
    const stream = await WAYS.POST(`${url}/stream`, ['a', 'b', 'a']);
    await stream.textOnce((text) => text.includes('sse:open'));
    expect(asked).toEqual(['a', 'b']);
    await stream.close();
  });

  it.each([
    ['no channel', query([]), 'No channel is named'],
    ['an empty name', query(['']), 'empty'],
    ['a control character', query(['a\nb']), 'a\\nb'],
    ['a name too long', query(['x'.repeat(1_025)]), '1025 bytes'],
    ['too many names', query(['job:1', 'job:2', 'job:3', 'job:4']), '4 channels'],
    ['other ids', query(['news'], '&ids=event'), '"event"'],
    ['the start of another channel', query(['news'], '&earliest=job%3A1'), '"job:1"'],
    [
      'a start without a channel',
      query(['news'], '&from=1'),
      '"1"; it must be <position>,<channel>',
    ],
    ['a start without a position', query(['news'], '&from=,news'), 'empty'],
    ['a start with a line break', query(['news'], '&from=1%0A2,news'), '1\\n2'],
    ['a start of another channel', query(['news'], '&from=1,job:1'), '"job:1"'],
  ])('answers 400 to a query with %s', async (_, search, message) => {
    const { url } = await start();
    const path = search.includes('job%3A4') ? 'only' : 'stream';
    expect(await refusal(await RawStream.open(`${url}/${path}${search}`))).toEqual([
      400,
      expect.stringContaining(message),
    ]);
  });

  it.each([
    ['an array', ['news'], 'an array'],
    ['no channels', {}, '`channels` of this request is undefined'],
    ['one name', { channels: 'news' }, '"news"'],
    ['no name', { channels: [] }, 'No channel is named'],
    ['a number among the names', { channels: ['news', 7] }, '7'],
    ['null among the names', { channels: [null] }, 'null'],
    ['an empty name', { channels: [''] }, 'empty'],
    ['other ids', { channels: ['news'], ids: true }, 'true'],
    ['a position that is no text', { channels: ['news'], lastEventId: 5 }, 'a number'],
    ['positions that are no object', { channels: ['news'], from: 'earliest' }, '"earliest"'],
    ['a start that is no text', { channels: ['news'], from: { news: 5 } }, '5'],
    ['a start with a line break', { channels: ['news'], from: { news: '1\n2' } }, '1\\n2'],
    ['a start with two positions', { channels: ['news'], from: { news: '1,2' } }, '"1,2"'],
    ['the start of another channel', { channels: ['news'], from: { job: '1' } }, '"job"'],
  ])('answers 400 to a body with %s', async (_, body, message) => {
    const { url } = await start();
    expect(await refusal(await post(`${url}/stream`, body))).toEqual([
      400,
      expect.stringContaining(message),
    ]);
  });

  it('answers 400 to a body that is no JSON, and to none', async () => {
    const { url } = await start();
    const body = new URLSearchParams({ channels: 'news' });
    for (const init of [{ method: 'POST' }, { method: 'POST', body }]) {
      expect(await refusal(await RawStream.open(`${url}/stream`, init))).toEqual([
        400,
        expect.stringContaining(init.body ? '"news"' : 'content-type: application/json'),
      ]);
    }
  });
});

describe('requestedChannels() at the start', () => {
  afterEach(closeApps);

  function controller(...args: Parameters<typeof SseChannel>): Type {
    @Controller()
    class OneController {
      @Sse('stream')
      @SseChannel(...args)
      stream() {}
    }
    return OneController;
  }

  it('fails closed when nobody decides which channels may be read', async () => {
    await expect(startApp({ controllers: [controller(requestedChannels())] })).rejects.toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/OneController\.stream.*neither `only` nor `authorize`/),
      }),
    );
  });

  const authorize = () => true;

  it.each<[string, Type, object]>([
    ['`only`', controller(requestedChannels({ only: ['news'] })), {}],
    ['`authorize` of the endpoint', controller(requestedChannels(), { authorize }), {}],
    ['`authorize` of the module', controller(requestedChannels()), { authorize }],
  ])('starts with %s', async (_, one, options) => {
    const { url } = await startApp({ controllers: [one], options });
    const stream = await RawStream.open(`${url}/stream?channel=news`);
    expect(stream.response.status).toBe(200);
    await stream.close();
  });

  it('refuses presence where a source is not the broker', async () => {
    const channels = requestedChannels({ only: ['news', { channel: 'key', source: 'cache' }] });
    await expect(
      startApp({ controllers: [controller(channels, { presence: true })] }),
    ).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('`presence`'),
    });
  });

  it('refuses `run`, which follows one channel', async () => {
    const channels = requestedChannels({ only: ['chat:{id}'] });
    await expect(
      startApp({ controllers: [controller(channels, { run: true })] }),
    ).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('`run`') });
  });

  it.each([
    [{ limit: 0 }, '`limit` is 0'],
    [{ limit: 1.5 }, '`limit` is 1.5'],
    [{ only: [] }, '`only` is an array'],
    [{ only: 'news' }, '`only` is "news"'],
    [{ only: [7] }, '`only` has a number'],
    [{ only: [''] }, '`only` has an empty name'],
    [{ only: [null] }, '`only` has null'],
    [{ only: [{ channel: 7 }] }, '{ channel: 7 }'],
    [{ only: [{ source: 'cache' }] }, '{ channel: undefined }'],
    [{ only: [{ channel: 'a', source: 'radio' }] }, '`source` is "radio"'],
    [{ only: [{ channel: 'a', overflow: 'reset' }] }, 'no option `overflow`'],
    [{ most: 5 }, 'no option `most`'],
  ])('refuses %j', (options, message) => {
    expect(() => requestedChannels(options as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(message),
      }),
    );
  });

  it.each([
    ['a template with a lone brace', 'job:{id', '{'],
    ["a name of the module's own", 'sse:control', '"sse:control"'],
    ["a template of the module's own", 'sse:run:{id}', '"sse:run:{id}"'],
    [
      "a definition of the module's own",
      defineChannel('sse:{id}', { a: unchecked() }),
      '"sse:{id}"',
    ],
    ["the module's own with a source", { channel: 'sse:a', source: 'cache' as const }, '"sse:a"'],
  ])('refuses %s', (_, entry, message) => {
    expect(() => requestedChannels({ only: [entry] })).toThrow(
      expect.objectContaining({
        code: 'INVALID_CHANNEL',
        message: expect.stringContaining(message),
      }),
    );
  });
});
