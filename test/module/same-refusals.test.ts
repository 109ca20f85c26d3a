import type pg from 'pg';
import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SseChannel, SseError, type SendOptions, type SseModuleOptions } from '../../lib/index.js';
import { connect, stopAll } from '../event-table/event-table-rig.js';
import {
  createDatabase,
  createRedis,
  type TestDatabase,
  type TestRedis,
} from '../support/databases.js';
import { closeApps, startApp } from '../support/start-app.js';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

let redis: TestRedis;
let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  [redis, database] = await Promise.all([createRedis(), createDatabase()]);
  client = await connect(database.url);
});
afterEach(closeApps);
afterAll(async () => {
  await stopAll();
  await Promise.all([redis.drop(), database.drop()]);
});

/** Where events go, and what `send()` is given for that. */
const BROKERS: Record<string, () => { options: SseModuleOptions; send?: SendOptions }> = {
  memory: () => ({ options: {} }),
  Redis: () => ({ options: { redis: redis.url, broker: 'redis' } }),
  'the event table': () => ({ options: table() }),
  'the event table within a transaction': () => ({
    options: table(),
    send: { transaction: client },
  }),
};

const table = (): SseModuleOptions => ({
  postgres: database.url,
  broker: 'event-table',
  eventTable: { install: true },
});

type Sent = [channel: unknown, data: unknown, options?: object];

const circular: { self?: object } = {};
circular.self = circular;

/** What nobody can send, and the code of its refusal. */
const REFUSED: Record<string, [code: string, sent: Sent]> = {
  'an empty name': ['INVALID_CHANNEL', ['', 'x']],
  'no name': ['INVALID_CHANNEL', [undefined, 'x']],
  'a name that is null': ['INVALID_CHANNEL', [null, 'x']],
  'a long name': ['INVALID_CHANNEL', ['ü'.repeat(513), 'x']],
  'a name with NUL': ['INVALID_CHANNEL', ['a\0b', 'x']],
  'a name with a lone surrogate': ['INVALID_CHANNEL', ['a\ud83d', 'x']],
  'no data': ['INVALID_EVENT', ['news', undefined]],
  'a function': ['INVALID_EVENT', ['news', () => 'x']],
  'a BigInt': ['INVALID_EVENT', ['news', 1n]],
  'a cycle': ['INVALID_EVENT', ['news', circular]],
  'long data': ['EVENT_TOO_LARGE', ['news', 'ü'.repeat(501)]],
  'a type with NUL': ['INVALID_EVENT', ['news', 'x', { type: 'a\0' }]],
  'a type of two lines': ['INVALID_EVENT', ['news', 'x', { type: 'a\nb' }]],
  'a long type': ['INVALID_EVENT', ['news', 'x', { type: 'x'.repeat(1_025) }]],
  'a type of the module': ['INVALID_EVENT', ['news', 'x', { type: 'sse:open' }]],
  'an empty id': ['INVALID_EVENT', ['news', 'x', { id: '' }]],
  'an id with NUL': ['INVALID_EVENT', ['news', 'x', { id: 'a\0' }]],
  'an id with a lone surrogate': ['INVALID_EVENT', ['news', 'x', { id: 'a\ud83d' }]],
  'an id that asks for all': ['INVALID_EVENT', ['news', 'x', { id: 'earliest' }]],
  'an id with a blank at its end': ['INVALID_EVENT', ['news', 'x', { id: 'a ' }]],
  'a retry that is NaN': ['INVALID_EVENT', ['news', 'x', { retry: NaN }]],
  'a retry below zero': ['INVALID_EVENT', ['news', 'x', { retry: -1 }]],
  'a retry that no timer can wait': ['INVALID_EVENT', ['news', 'x', { retry: 2 ** 31 }]],
};

describe.each(Object.keys(BROKERS))('send() to %s', (broker) => {
  it('refuses what cannot be sent with the same codes as every broker', async () => {
    const { options, send } = BROKERS[broker]!();
    const app = await startApp({
      controllers: [NewsController],
      options: { ...options, limits: { eventSize: 1_000 } },
    });
    const reader = await app.connect('/news');
    await client.query('begin');
    try {
      for (const [what, [code, [channel, data, fields]]] of Object.entries(REFUSED)) {
        const error: unknown = await app.sse
          .send(channel as string, data, { ...fields, ...send })
          .catch((reason: unknown) => reason);
        expect([what, (error as SseError).code]).toEqual([what, code]);
        expect(error).toBeInstanceOf(SseError);
        expect((error as SseError).message.length).toBeLessThan(400);
        // Nothing has reached the server, which would have refused it.
        expect((error as SseError).cause ?? {}).not.toHaveProperty('severity');
      }
      // These can be sent: null is JSON, and a lone surrogate becomes U+FFFD wherever it is text.
      await app.sse.send('news', null, send);
      await app.sse.send('news', 'a\ud83d', send);
      await app.sse.send('news', { text: 'a\ud83d' }, { type: 'b\ud83d', ...send });
    } finally {
      await client.query('commit');
    }
    expect(await reader.take(3)).toMatchObject([
      { data: 'null' },
      { data: 'a\ufffd' },
      { data: '{"text":"a\\ud83d"}', type: 'b\ufffd' },
    ]);
  });
});
