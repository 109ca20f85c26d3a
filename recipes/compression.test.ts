import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import fastifyCompress from '@fastify/compress';
import compression from 'compression';
import { equal } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { AppModule, onExpress, onFastify } from './compression.js';
import { closeAll, listen } from './support/start.js';

const headers = { 'accept-encoding': 'gzip' };

async function hasEventsInText(app: INestApplication): Promise<void> {
  const { connect, sse } = await listen(app);
  const client = await connect('/prices/events', { headers });
  equal(client.opened.headers['content-encoding'], undefined);
  await sse.send('prices', 'event');
  equal((await client.next()).data, 'event');
}

describe('compression', () => {
  afterEach(closeAll);

  for (const createApp of [onExpress, onFastify]) {
    it(`leaves streams alone, and compresses the rest, ${createApp.name}`, async () => {
      const { connect, sse, url } = await listen(await createApp());
      const all = await fetch(`${url}/prices`, { headers });
      equal(all.headers.get('content-encoding'), 'gzip');
      equal(((await all.json()) as unknown[]).length, 200);
      const client = await connect('/prices/events', { headers });
      equal(client.opened.headers['content-encoding'], undefined);
      for (let price = 0; price < 10; price++) {
        await sse.send('prices', { price });
        equal((await client.next()).data, JSON.stringify({ price }));
      }
    });
  }

  it('leaves streams alone though its filter wants them, on Express', async () => {
    const app = await NestFactory.create(AppModule);
    app.use(compression({ filter: () => true, threshold: 0 }));
    await hasEventsInText(app);
  });

  it('leaves streams alone though it is to compress every text, on Fastify', async () => {
    const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
    await app.register(fastifyCompress, { customTypes: /^text\//, threshold: 0 });
    await hasEventsInText(app);
  });
});
