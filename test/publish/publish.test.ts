import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { arrived, dataOf } from '../once/arrived.js';
import { SYSTEMS, type System } from '../once/systems.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { startPublishApp } from './app.js';

describe.each(Object.entries(SYSTEMS))('Publishing over HTTP with %s', (_, startSystem) => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem();
  });
  afterAll(() => system.stop());
  afterEach(closeApps);

  describe.each(ADAPTERS)('on %s', (adapter) => {
    const start = () => startPublishApp({}, { adapter, options: system.options });

    it('publishes one event, and answers its id', async () => {
      const { publish, sse } = await start();
      const channel = `one-${adapter}`;
      const event = { channel, data: { text: 'hi' }, type: 'said', id: 'v1', retry: 5_000 };
      const { status, body } = await publish(event);
      expect([status, body]).toEqual([200, { id: expect.any(String), duplicate: false }]);
      expect(await arrived(sse, channel)).toMatchObject([
        { channel, data: { text: 'hi' }, type: 'said', id: 'v1', retry: 5_000 },
      ]);
    });

    it('publishes text as it is, and every other value as JSON', async () => {
      const { publish, sse } = await start();
      const channel = `values-${adapter}`;
      const values = ['text\nof two lines', '', 5, true, null, [1, 2], { a: { b: 'ü' } }];
      for (const data of values) {
        expect(await publish({ channel, data, type: null })).toMatchObject({ status: 200 });
      }
      expect((await arrived(sse, channel)).map(({ data }) => data)).toEqual([
        'text\nof two lines',
        '',
        '5',
        'true',
        'null',
        [1, 2],
        { a: { b: 'ü' } },
      ]);
    });

    it('publishes many events, keeps the order of each channel, and answers for each', async () => {
      const { publish, sse } = await startPublishApp(
        { limits: { eventsPerRequest: 2_000 } },
        { adapter, options: system.options },
      );
      const events = Array.from({ length: 1_100 }, (__, nth) => ({
        channel: `many-${adapter}-${nth % 3}`,
        data: `${nth}`,
      }));
      const { status, body } = await publish({ events });
      expect(status).toBe(200);
      expect(body.results).toEqual(
        events.map(() => ({ status: 'sent', id: expect.any(String), duplicate: false })),
      );
      for (let nth = 0; nth < 3; nth++) {
        expect(dataOf(await arrived(sse, `many-${adapter}-${nth}`))).toEqual(
          events.flatMap(({ data }, at) => (at % 3 === nth ? [data] : [])),
        );
      }
      expect(await publish({ events: [] })).toMatchObject({ status: 200, body: { results: [] } });
    });

    it('publishes once what is sent again with its key', async () => {
      const { publish, sse } = await start();
      const channel = `keys-${adapter}`;
      const header = { 'idempotency-key': 'k1' };
      const { body: first } = await publish({ channel, data: 'a' }, header);
      const again = [
        await publish({ channel, data: 'a' }, header),
        // As a string of Structured Fields.
        await publish({ channel, data: 'a' }, { 'idempotency-key': '"k1"' }),
        await publish({ channel, data: 'a', idempotencyKey: 'k1' }),
        await publish({ channel, data: 'a', idempotencyKey: 'k1' }, header),
      ];
      for (const { status, body } of again) {
        expect([status, body]).toEqual([200, { id: first.id, duplicate: true }]);
      }
      expect(dataOf(await arrived(sse, channel))).toEqual(['a']);
    });

    it('gives each event of a list a key of its own, by the header and its place', async () => {
      const { publish, sse } = await start();
      const channel = `places-${adapter}`;
      const header = { 'idempotency-key': 'batch' };
      const events = [
        { channel, data: 'a' },
        { channel, data: 'b', idempotencyKey: 'own' },
        { channel, data: 'c' },
      ];
      const { body: first } = await publish({ events }, header);
      const { status, body: second } = await publish({ events }, header);
      expect(status).toBe(200);
      expect(second.results).toEqual(
        first.results.map((result: object) => ({ ...result, duplicate: true })),
      );
      expect(await publish({ channel, data: 'b', idempotencyKey: 'own' })).toMatchObject({
        body: second.results[1]?.id && { id: second.results[1].id, duplicate: true },
      });
      expect(dataOf(await arrived(sse, channel))).toEqual(['a', 'b', 'c']);
    });
  });
});
