import { sign } from '@fastify/cookie';
import { EventSource } from 'eventsource';
import { deepEqual, equal, match } from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { createApp } from './fastify-cookies.js';
import { closeAll, closeLater, listen } from './support/start.js';

const SECRET = 'of the tests';
const cookieOf = (user: string) => `theme=dark; session=${encodeURIComponent(sign(user, SECRET))}`;

describe('cookies on Fastify', () => {
  afterEach(closeAll);

  it('open the stream of their user, and are written with its head', async () => {
    const { connect, sse } = await listen(await createApp(SECRET));
    const ann = await connect('/me/events', { headers: { cookie: cookieOf('ann') } });
    equal(ann.opened.status, 200);
    const [cookie = '', ...others] = ann.opened.headers['set-cookie'] ?? [];
    match(cookie, /^session=ann\.[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    deepEqual(others, []);
    await sse.send('user:bob', 'for Bob');
    await sse.send('user:ann', 'for Ann');
    equal((await ann.next()).data, 'for Ann');
    const again = await connect('/me/events', { headers: { cookie: cookie.split(';')[0]! } });
    equal(again.opened.status, 200);
  });

  for (const [what, cookie] of [
    ['no cookie', ''],
    ['a cookie that is not signed', 'session=ann'],
    ['a cookie that is signed by another', `session=${sign('ann', 'another')}`],
  ] as const) {
    it(`refuse a stream with ${what} by 401, which ends an EventSource`, async () => {
      const { url } = await listen(await createApp(SECRET));
      const source = new EventSource(`${url}/me/events`, {
        fetch: (target, init) => fetch(target, { ...init, headers: { ...init.headers, cookie } }),
      });
      closeLater(() => source.close());
      const [{ code }] = (await once(source, 'error')) as [{ code?: number }];
      equal(code, 401);
      equal(source.readyState, EventSource.CLOSED);
    });
  }
});
