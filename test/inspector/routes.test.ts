import { afterEach, describe, expect, test } from '@jest/globals';
import { SseInspectorModule } from '../../lib/inspector/index.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { startInspector, TOKEN, TokenGuard } from './rig.js';

afterEach(closeApps);

/** Each route, with what it needs to be answered. */
const ROUTES = [
  '/inspector',
  '/inspector/index.html',
  '/inspector/assets/main.js',
  '/inspector/live',
  '/inspector/channels',
  '/inspector/connections',
  '/inspector/history?channel=news',
  '/inspector/follow?channel=news',
  '/inspector/assets/none.js',
];

test('guards must be given', () => {
  const without = (): unknown => SseInspectorModule.forRoot({} as never);
  expect(without).toThrow(
    'SseInspectorModule.forRoot(): there are no `guards`, so that anybody could look into the application.',
  );
  expect(() => SseInspectorModule.forRootAsync({ useFactory: () => ({}) } as never)).toThrow(
    'SseInspectorModule.forRootAsync(): there are no `guards`',
  );
  expect(() => SseInspectorModule.forRoot({ guards: [] })).toThrow('`guards` is an array');
});

describe.each(ADAPTERS)('on %s', (adapter) => {
  test('a guard sees and refuses every route', async () => {
    const { url } = await startInspector({ send: true }, { adapter });
    TokenGuard.asked.length = 0;
    for (const route of ROUTES) {
      const { status } = await fetch(url + route);
      expect([route, status]).toEqual([route, 403]);
    }
    const send = await fetch(`${url}/inspector/send`, { method: 'POST' });
    expect(send.status).toBe(403);
    expect(TokenGuard.asked).toEqual([...ROUTES, '/inspector/send']);
  });

  test('the page names its files relative to its address', async () => {
    const { ask } = await startInspector({}, { adapter });
    for (const [path, folder] of [
      ['/inspector', './inspector/'],
      ['/inspector?a=%22', './inspector/'],
      ['/inspector/index.html', './'],
    ]) {
      const { status, headers, text } = await ask(path!);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      const files = [...text.matchAll(/(?:src|href)="([^"]*assets[^"]*)"/g)].map(
        ([, name]) => name!,
      );
      expect(files.length).toBeGreaterThan(1);
      for (const file of files) {
        expect(file.startsWith(`${folder}assets/`)).toBe(true);
        const asset = await ask(new URL(file, `http://host${path}`).pathname);
        expect([file, asset.status]).toEqual([file, 200]);
      }
    }
  });

  test('a file that the browser has is not sent again', async () => {
    const { ask } = await startInspector({}, { adapter });
    const first = await ask('/inspector/assets/main.js');
    expect(first.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(first.headers.get('x-content-type-options')).toBe('nosniff');
    const etag = first.headers.get('etag')!;
    const second = await ask('/inspector/assets/main.js', { headers: { 'if-none-match': etag } });
    expect([second.status, second.text]).toEqual([304, '']);
    for (const name of ['index.html', 'none.js', '__proto__', 'toString', '..%2findex.html']) {
      expect((await ask(`/inspector/assets/${name}`)).status).toBe(404);
    }
  });

  test('the overview comes at once, and again', async () => {
    const { connect, sse } = await startInspector({}, { adapter });
    await sse.send('news', { text: 'hello' });
    const client = await connect('/inspector/live', { headers: TOKEN });
    const first = JSON.parse((await client.next()).data) as Record<string, never>;
    expect(first).toMatchObject({
      showData: false,
      send: false,
      totals: { channels: 1, events: 1 },
      counters: { received: 1 },
      systems: [],
      outages: [],
    });
    const second = await client.next();
    expect(second.type).toBe('overview');
    expect(JSON.parse(second.data).at).toBeGreaterThan(first['at']!);
  });

  test('channels and connections', async () => {
    const { ask, sse, connect } = await startInspector({}, { adapter });
    const id = await sse.send('news', 'a');
    await connect('/inspector/live', { headers: TOKEN });
    const { body, headers } = await ask('/inspector/channels');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      total: 1,
      instance: expect.any(String),
      rows: [
        {
          name: 'news',
          source: 'memory',
          readers: 0,
          slow: 0,
          events: 1,
          bytes: expect.any(Number),
          last: id,
          received: 1,
          rate: expect.any(Number),
          lag: 0,
        },
      ],
    });
    expect((await ask('/inspector/connections')).body).toMatchObject({
      total: 1,
      rows: [{ channels: [], channelCount: 0, lag: 0, backlog: 0 }],
    });
  });
});
