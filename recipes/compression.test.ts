import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import fastifyCompress from '@fastify/compress';
import compression from 'compression';
import { equal } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { AppModule, CompressedModule, onExpress, onFastify } from './compression.js';
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

  for (const [name, createApp] of [
    ['Express', () => NestFactory.create(CompressedModule)],
    [
      'Fastify',
      () => NestFactory.create<NestFastifyApplication>(CompressedModule, new FastifyAdapter()),
    ],
  ] as const) {
    it(`stands aside where the module compresses, on ${name}`, async () => {
      const app = await createApp();
      if (name === 'Express') {
        app.use(compression({ filter: () => true, threshold: 0 }));
      } else {
        const plugin = { customTypes: /^text\//, threshold: 0 };
        await (app as NestFastifyApplication).register(fastifyCompress, plugin);
      }
      const { sse, url } = await listen(app);
      const response = await fetch(`${url}/prices/events`, { headers });
      equal(response.headers.get('content-encoding'), 'gzip');
      const frames = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (let price = 0; price < 10; price++) {
        await sse.send('prices', `price ${price}`);
        while (!text.includes(`data: price ${price}\n`)) {
          text += (await frames.read()).value;
        }
      }
      await frames.cancel();
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
