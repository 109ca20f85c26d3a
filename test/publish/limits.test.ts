import { afterEach, describe, expect, it } from '@jest/globals';
import { Publisher } from '../../lib/publish/publisher.js';
import { PublishRate } from '../../lib/publish/publish-rate.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startPublishApp, type Asked } from './app.js';

describe.each(ADAPTERS)('The limits of publishing over HTTP on %s', (adapter) => {
  afterEach(closeApps);

  const events = (count: number) =>
    Array.from({ length: count }, (_, nth) => ({ channel: 'a', data: `${nth}` }));

  it('refuses a request with too many events as a whole', async () => {
    const { publish, sse } = await startPublishApp(
      { limits: { eventsPerRequest: 3 } },
      { adapter },
    );
    expect(await publish({ events: events(3) })).toMatchObject({ status: 200 });
    expect(await publish({ events: events(4) })).toMatchObject({
      status: 413,
      body: { code: 'LIMIT_REACHED', message: expect.stringContaining('at most 3') },
    });
    expect(sse.stats()).toBeDefined();
  });

  it('takes 10,000 events where the limits allow it, while other requests are answered', async () => {
    const { publish } = await startPublishApp(
      { limits: { eventsPerRequest: 10_000 } },
      { adapter },
    );
    const lots = events(10_000).map(({ channel, data }) => ({ channel, data: data.slice(-1) }));
    // Within the 100 KiB of Express.
    const many = lots.slice(0, 3_500);
    let others = 0;
    let isDone = false;
    const answer = publish({ events: many }).finally(() => (isDone = true));
    while (!isDone) {
      expect(await publish({ channel: 'b', data: 'b' })).toMatchObject({ status: 200 });
      others++;
    }
    const { status, body } = await answer;
    expect([status, body.results.length]).toEqual([200, many.length]);
    expect(others).toBeGreaterThan(0);
  });

  it('leaves every turn of the event loop to others, however many requests come together', async () => {
    const perTurn = new Map<number, number>();
    let turn = 0;
    const { app } = await startPublishApp(
      {
        authorize: () => {
          perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
          return true;
        },
      },
      { adapter },
    );
    const publisher = app.get(Publisher, { strict: false });
    const headers = { 'content-type': 'application/json' };
    let immediate = setImmediate(function next() {
      turn++;
      immediate = setImmediate(next);
    });
    const sizes = Array.from({ length: 200 }, (_, nth) => (nth % 2 ? 1 : 1_000));
    const answers = await Promise.all(
      sizes.map((size) => {
        const body = size === 1 ? events(1)[0] : { events: events(size) };
        return publisher.publish({ headers, body } as never);
      }),
    );
    clearImmediate(immediate);
    expect(answers.map(({ exception }) => exception)).toEqual(sizes.map(() => undefined));
    const counts = [...perTurn.values()];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100 * 1_001);
    expect(Math.max(...counts)).toBeLessThan(1_000);
  });

  it('refuses a caller that publishes too much, and tells when to try again', async () => {
    const { publish } = await startPublishApp(
      {
        limits: { eventsPerMinute: 10 },
        client: ({ headers }: Asked) => headers['x-client'],
      },
      { adapter },
    );
    const by = (name: string) => ({ 'x-client': name });
    expect(await publish({ events: events(10) }, by('one'))).toMatchObject({ status: 200 });
    const late = await publish({ events: events(5) }, by('one'));
    expect(late).toMatchObject({ status: 429, body: { code: 'LIMIT_REACHED' } });
    const seconds = Number(late.headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(30);
    expect(await publish({ events: events(10) }, by('other'))).toMatchObject({ status: 200 });
    // Never enough for this one.
    expect(await publish({ events: events(11) }, by('third'))).toMatchObject({
      status: 413,
      body: { message: expect.stringContaining('10 events a minute') },
    });
  });
});

describe('What a caller may publish', () => {
  it('comes back evenly', async () => {
    const rate = new PublishRate(60_000);
    rate.take('a', 60_000);
    expect(() => rate.take('a', 1_000)).toThrow('60000 events a minute');
    await until(() => {
      try {
        rate.take('a', 20);
        return true;
      } catch {
        return false;
      }
    });
  });
});
