import { afterEach, describe, expect, test } from '@jest/globals';
import { Controller, Sse } from '@nestjs/common';
import { SseChannel } from '../../lib/index.js';
import { ADAPTERS, closeApps, type AppOptions } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startInspector, TOKEN } from './rig.js';

afterEach(closeApps);

const WITH_TOKEN = { headers: TOKEN };

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

const DATA = 'MARKER-of-data';
const INFO = 'MARKER-of-info';

const options: AppOptions = {
  controllers: [NewsController],
  options: { client: () => ({ id: 'someone', info: { text: INFO } }) },
};

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe.each(ADAPTERS)('on %s', (adapter) => {
  test.each([false, true])('with showData: %s', async (showData) => {
    const { ask, sse, connect } = await startInspector({ showData }, { ...options, adapter });
    await connect('/news');
    const client = await connect('/inspector/follow?channel=news', WITH_TOKEN);
    const live = await connect('/inspector/live', WITH_TOKEN);
    const id = await sse.send('news', { text: DATA });
    await sse.send('news', DATA + '😀'.repeat(3_000), { type: 'long' });
    await until(() => client.events.length === 2);
    await live.next();
    const answers = await Promise.all(
      [
        'channels?sort=rate',
        'channels?channel=news',
        'channels?filter=EW',
        'connections?client=someone',
        'connections?channel=news&sort=backlog',
        'history?channel=news',
      ].map((path) => ask(`/inspector/${path}`)),
    );
    expect(answers.map(({ status, body }) => [status, body.instance])).toEqual(
      answers.map(() => [200, expect.stringContaining(`:${process.pid}`)]),
    );
    const texts = [...answers.map(({ text }) => text), ...client.events, ...live.events];
    const bytes = texts.map((text) => JSON.stringify(text)).join('\n');
    expect([bytes.includes(DATA), bytes.includes(INFO)]).toEqual([showData, showData]);
    const [long, short] = answers.at(-1)!.body.events as Record<string, unknown>[];
    expect(short).toEqual({
      place: 1,
      id,
      size: 25,
      at: expect.any(Number),
      ...(showData && { data: `{"text":"${DATA}"}` }),
    });
    expect(long!['type']).toBe('long');
    expect(long!['cut']).toBe(showData ? true : undefined);
    if (showData) {
      expect(String(long!['data']).isWellFormed()).toBe(true);
      expect(String(long!['data']).length).toBe(2_000);
    }
    const { rows } = answers[3]!.body as { rows: Record<string, unknown>[] };
    expect(rows.map((row) => row['client'])).toEqual(['someone']);
    expect('info' in rows[0]!).toBe(showData);
  });

  test('wrong parameters are named', async () => {
    const { ask, sse } = await startInspector({}, { adapter });
    await sse.send('news', 'x');
    for (const [path, message] of [
      [
        'channels?sort=age',
        '`sort` is "age". Give one of these: name, readers, events, rate, lag.',
      ],
      ['channels?limit=0', '`limit` is "0". Give a whole number from 1 to 200.'],
      ['channels?limit=201', '`limit` is "201"'],
      ['channels?offset=-1', '`offset` is "-1"'],
      ['channels?offset=1000001', '`offset` is "1000001"'],
      ['channels?offset=1e3', '`offset` is "1e3"'],
      [`channels?filter=${'x'.repeat(1_025)}`, '`filter` has 1025 characters. Give at most 1,024.'],
      ['channels?filter=a&filter=b', '`filter` is given twice. Give it once.'],
      [`connections?client=${'x'.repeat(1_025)}`, '`client` has 1025 characters'],
      ['connections?sort=name', '`sort` is "name"'],
      ['history', '`channel` is missing. Give it.'],
      ['history?channel=', '`channel` is missing. Give it.'],
      ['history?channel=news&limit=x', '`limit` is "x"'],
      ['follow', '`channel` is missing. Give it.'],
    ]) {
      const { status, body } = await ask(`/inspector/${path}`);
      expect([path, status, body.code]).toEqual([path, 400, 'INVALID_OPTION']);
      expect(body.message).toContain(`The parameter ${message}`);
    }
    // As long as may be, and with any characters.
    for (const filter of ['x'.repeat(1_024), '"><script>&%00\u{d800}\n', '[', '😀']) {
      const found = await ask(
        `/inspector/channels?filter=${encodeURIComponent(filter.toWellFormed())}`,
      );
      expect([found.status, found.body.total]).toEqual([200, 0]);
    }
    expect((await ask('/inspector/history?channel=none')).status).toBe(404);
  });

  test('send is off', async () => {
    const { ask, sse } = await startInspector({}, { adapter });
    const { status, body } = await ask('/inspector/send', post({ channel: 'news', data: 1 }));
    expect([status, body.message]).toEqual([404, expect.stringContaining('`send: true`')]);
    expect(sse.stats().channels).toBe(0);
  });

  test('send publishes what the page sends, and refuses what others send', async () => {
    const { ask, sse, connect } = await startInspector({ send: true }, { ...options, adapter });
    const client = await connect('/news');
    const sent = await ask(
      '/inspector/send',
      post({ channel: 'news', type: 'told', data: { n: 1 } }),
    );
    expect([sent.status, sent.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await client.next()).toMatchObject({ id: sent.body.id, type: 'told', data: '{"n":1}' });
    const body = { channel: 'news', data: 2 };
    for (const [init, status, code] of [
      [post(body, { 'sec-fetch-site': 'cross-site' }), 403, 'FORBIDDEN'],
      [post(body, { 'sec-fetch-site': 'same-site' }), 403, 'FORBIDDEN'],
      [post(body, { 'content-type': 'text/plain' }), 415, undefined],
      [post({ channel: 'sse:own', data: 1 }), 400, 'INVALID_CHANNEL'],
      [post({ channel: 'news' }), 400, 'INVALID_EVENT'],
      [post({ channel: 'news', data: 1, type: 'sse:reset' }), 400, 'INVALID_EVENT'],
      [post({ events: [body, body] }), 413, 'LIMIT_REACHED'],
    ] as const) {
      const refused = await ask('/inspector/send', init);
      expect([init.body, refused.status]).toEqual([init.body, status]);
      // Fastify itself refuses a type that it has no parser for, or reads text.
      if (code !== undefined) expect(refused.body.code).toBe(code);
    }
    const own = await ask('/inspector/send', post(body, { 'sec-fetch-site': 'same-origin' }));
    expect(own.status).toBe(200);
    expect(await client.next()).toMatchObject({ id: own.body.id, data: '2' });
    expect(sse.stats().channels).toBe(1);
  });

  test('a global prefix, and a version', async () => {
    const { url } = await startInspector(
      { path: 'admin/sse', version: '2', guards: 'none' },
      {
        adapter,
        prepare: (app) => {
          app.setGlobalPrefix('api');
          app.enableVersioning();
        },
      },
    );
    const page = await fetch(`${url}/api/v2/admin/sse`);
    const [, file] = /src="([^"]*)"/.exec(await page.text())!;
    const script = await fetch(new URL(file!, `${url}/api/v2/admin/sse`));
    expect([page.status, script.status]).toEqual([200, 200]);
    expect((await fetch(`${url}/api/v2/admin/sse/channels`)).status).toBe(200);
  });
});

test('a flood of requests shares its walks, and is answered or refused', async () => {
  const { ask, sse } = await startInspector({ guards: 'none' });
  for (let n = 0; n < 2_000; n++) {
    await sse.send(`channel:${n}`, 'x');
  }
  const same = await Promise.all(
    Array.from({ length: 200 }, () => ask('/inspector/channels?filter=channel:1&limit=1')),
  );
  expect(new Set(same.map(({ status, body }) => `${status} ${body.total}`))).toEqual(
    new Set(['200 1111']),
  );
  const different = await Promise.all(
    Array.from({ length: 200 }, (_, n) => ask(`/inspector/channels?filter=${n}&limit=1`)),
  );
  const refused = different.filter(({ status }) => status === 503);
  expect(refused.every(({ body }) => body.code === 'LIMIT_REACHED')).toBe(true);
  expect(different.filter(({ status }) => status === 200).length).toBe(200 - refused.length);
  const later = await until(async () => {
    const answer = await ask('/inspector/channels?filter=channel:7&sort=events');
    return answer.status === 200 && answer;
  });
  expect(later.body.rows[0].name).toBe('channel:7');
});
