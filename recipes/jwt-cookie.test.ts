import type { INestApplication } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import fastifyCookie from '@fastify/cookie';
import cookieParser from 'cookie-parser';
import { EventSource } from 'eventsource';
import { deepEqual, equal } from 'node:assert/strict';
import type { Server } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { until } from '../test/support/until.js';
import { AppModule } from './jwt-cookie.js';
import {
  ADAPTERS,
  closeAll,
  closeLater,
  createApp,
  listen,
  type Adapter,
} from './support/start.js';

process.env['JWT_SECRET'] = 'of the tests';

async function start(adapter: Adapter) {
  const app: INestApplication = await createApp(AppModule, adapter);
  if (adapter === 'express') app.use(cookieParser());
  else await (app as NestFastifyApplication).register(fastifyCookie);
  return { ...(await listen(app)), jwt: app.get(JwtService, { strict: false }) };
}

describe('a JWT in a cookie', () => {
  afterEach(closeAll);

  for (const adapter of ADAPTERS) {
    it(`opens the stream of its user, on ${adapter}`, async () => {
      const { connect, jwt, sse } = await start(adapter);
      const cookie = `token=${await jwt.signAsync({ sub: 'ann' })}`;
      const ann = await connect('/me/events', { headers: { cookie } });
      equal(ann.opened.status, 200);
      await sse.send('user:bob', 'for Bob');
      await sse.send('user:ann', 'for Ann');
      equal((await ann.next()).data, 'for Ann');
      for (const wrong of [
        '',
        'token=a.b.c',
        `token=${new JwtService().sign({}, { secret: 'x' })}`,
      ]) {
        equal((await connect('/me/events', { headers: { cookie: wrong } })).opened.status, 401);
      }
    });

    it(`ends its stream when it expires; the EventSource goes on by a new one, on ${adapter}`, async () => {
      const { app, connect, jwt, sse, url } = await start(adapter);
      const lasting = await jwt.signAsync({ sub: 'ann' });
      const expired = await jwt.signAsync({ sub: 'ann' }, { expiresIn: '-1s' });
      // The first request of an application takes longer than the token below may have left.
      await (await connect('/me/events', { headers: { cookie: `token=${lasting}` } })).close();
      await until(() => sse.stats().connections === 0);

      let token = await jwt.signAsync({ sub: 'ann' }, { expiresIn: '3s' });
      const source = new EventSource(`${url}/me/events`, {
        fetch: (target, init) =>
          fetch(target, { ...init, headers: { ...init.headers, cookie: `token=${token}` } }),
      });
      closeLater(() => source.close());
      const received: string[] = [];
      source.addEventListener('message', ({ data }) => received.push(data as string));
      const codes: (number | undefined)[] = [];
      source.addEventListener('error', ({ code }) => codes.push(code));
      await until(() => sse.stats().connections === 1);
      await sse.send('user:ann', 'one', { retry: 10 });
      token = lasting;
      await until(() => codes.length === 1);
      await sse.send('user:ann', 'two');
      await until(() => received.length === 2);
      token = expired;
      (app.getHttpServer() as Server).closeAllConnections();
      await until(() => source.readyState === EventSource.CLOSED);
      deepEqual(received, ['one', 'two']);
      deepEqual(codes, [undefined, undefined, 401]);
    });
  }
});
