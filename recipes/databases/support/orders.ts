import 'reflect-metadata';
import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseService } from 'nestjs-sse-channels';
import { SseTestClient } from 'nestjs-sse-channels/testing';
import { deepEqual, equal } from 'node:assert/strict';
import { startPostgres, type PostgresServer } from '../../../test/support/postgres.js';

/** Starts a server whose address is in DATABASE_URL, as the recipes expect it. */
export async function startDatabase(): Promise<PostgresServer> {
  const server = await startPostgres();
  process.env['DATABASE_URL'] = server.url;
  return server;
}

export async function startApp(module: Type): Promise<INestApplication> {
  const app = await NestFactory.create(module, { abortOnError: false, logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  return app;
}

async function call(url: string, method: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const { status } = await fetch(url, { method, headers, body: JSON.stringify(body) });
  return status;
}

/** Places orders, of which one is rolled back, and changes one: what do the clients receive? */
export async function checkOrders(app: INestApplication): Promise<void> {
  const url = `${await app.getUrl()}/orders`;
  const all = await SseTestClient.connect(`${url}/events`);
  const second = await SseTestClient.connect(`${url}/2/events`);
  equal(await call(url, 'POST', { item: 'tea' }), 201);
  equal(await call(url, 'POST', { item: 'milk "1 %" ?' }), 201);
  equal(await call(`${url}/2`, 'PATCH', { status: 'sold out' }), 200);
  equal(await call(url, 'POST', { item: 'milk "1 %" ?' }), 409);
  equal(await call(`${url}/1`, 'PATCH', { status: 'paid' }), 200);
  equal(await call(`${url}/2`, 'PATCH', { status: 'back' }), 200);
  // Every event that was sent before has a lower position.
  await app.get(SseService).send('orders', 'ends the test', { type: 'last' });
  await all.next({ type: 'last' });
  const seen = all.events.filter(({ type }) => !type.startsWith('sse:'));
  deepEqual(
    seen.map(({ type, data }) => [type, type === 'last' ? data : JSON.parse(data)]),
    [
      ['placed', { id: 1, item: 'tea', status: 'new' }],
      ['placed', { id: 2, item: 'milk "1 %" ?', status: 'new' }],
      ['last', 'ends the test'],
    ],
  );
  deepEqual(
    (await second.take(2)).map(({ type, data }) => [type, JSON.parse(data)]),
    [
      ['update', { id: 2, item: 'milk "1 %" ?', status: 'sold out' }],
      ['update', { id: 2, item: 'milk "1 %" ?', status: 'back' }],
    ],
  );
  await all.close();
  await second.close();
}
