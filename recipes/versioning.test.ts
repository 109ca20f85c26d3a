import { VersioningType } from '@nestjs/common';
import { EventSource } from 'eventsource';
import { deepEqual, equal } from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { closeAll, closeLater, createApp as createBareApp, listen } from './support/start.js';
import { AppModule, createApp } from './versioning.js';

const order = (id: number) => ({ id, price: { amount: 5, currency: 'EUR' } });
const old = (id: number) => ({ id, price: 5 });

const onFastify = async () => {
  const app = await createBareApp(AppModule, 'fastify');
  return app.enableVersioning({ type: VersioningType.URI });
};

describe('versions', () => {
  afterEach(closeAll);

  for (const [adapter, create] of [
    ['express', createApp],
    ['fastify', onFastify],
  ] as const) {
    it(`stream one channel in two forms, and a client may change between them, on ${adapter}`, async () => {
      const { connect, sse, url } = await listen(await create());
      const first = await connect('/v1/orders/events');
      const second = await connect('/v2/orders/events');
      await sse.send('orders', order(1));
      const event = await first.next();
      deepEqual(JSON.parse(event.data), old(1));
      deepEqual(JSON.parse((await second.next()).data), order(1));
      await first.close();
      await sse.send('orders', order(2));
      const changed = await connect('/v2/orders/events', { lastEventId: event.id });
      deepEqual(JSON.parse((await changed.next()).data), order(2));
      const back = await connect('/v1/orders/events', { lastEventId: event.id });
      deepEqual(JSON.parse((await back.next()).data), old(2));

      const source = new EventSource(`${url}/v3/orders/events`);
      closeLater(() => source.close());
      const [{ code }] = (await once(source, 'error')) as [{ code?: number }];
      equal(code, 404);
      equal(source.readyState, EventSource.CLOSED);
    });
  }

  it('in a header are out of reach for an EventSource', async () => {
    const app = await createBareApp(AppModule, 'express');
    app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' });
    const { connect } = await listen(app);
    equal((await connect('/orders/events')).opened.status, 404);
    const { status } = (await connect('/orders/events', { headers: { 'x-version': '2' } })).opened;
    equal(status, 200);
  });
});
