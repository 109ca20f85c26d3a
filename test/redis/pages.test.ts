import { describe, expect, it } from '@jest/globals';
import { Random } from '../channel/random.js';
import { count, instance, NONE, withRedis, type Instance } from './instances.js';
import { prefix, redis, useOwnRedis } from './own-redis.js';

/** How many bytes a page may have beside its last entry. */
const PAGE_BYTES = 262_144;
const LARGE = 1_048_000;

useOwnRedis();

/** What `pattern` finds in what the server says of itself, as a number. */
function info(section: string, pattern: RegExp): Promise<number> {
  return withRedis(redis.url, async (admin) =>
    Number(pattern.exec(await admin.info(section))?.[1] ?? 0),
  );
}
const bytesSent = () => info('stats', /total_net_output_bytes:(\d+)/);

/** Sends each text in a turn of its own. */
async function sendAll({ broker }: Instance, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const data of texts) {
    ids.push(await broker.publish('large', { data }));
  }
  return ids;
}

describe('A page of history', () => {
  it.each([
    ['large ones only', () => 6 * LARGE, 10],
    ['large ones among small ones', (n: number) => (n % 40 < 37 ? 10 : LARGE), 120],
    ['any', (_: number, random: Random) => random.below(200_000), 60],
  ])(
    'holds a bounded number of bytes, and pages leave no event out: %s',
    async (_, sizeOf, amount) => {
      const random = new Random(1_789);
      const one = await instance(redis.url, { prefix, auditInterval: 60_000 });
      const texts = Array.from({ length: amount }, (__, n) =>
        `${n} `.padEnd(Math.min(LARGE, sizeOf(n, random)), 'x'),
      );
      const ids = await sendAll(one, texts);
      const { history } = one.open('large').feed;
      const received: string[] = [];
      let position = ids[0]!;
      for (let last = false; !last;) {
        const page = await history!.read(position, 256);
        const sizes = page.events.map(({ data }) => data.length);
        const beforeStep = sizes.slice(0, -16).reduce((sum, size) => sum + size, 0);
        expect(beforeStep).toBeLessThanOrEqual(PAGE_BYTES);
        if (sizes[0]! >= PAGE_BYTES) {
          expect(sizes.length).toBeLessThanOrEqual(1);
        }
        received.push(...page.events.map(({ data }) => data));
        expect(page.last || page.events.length > 0).toBe(true);
        position = page.events.at(-1)?.position ?? position;
        last = page.last;
      }
      expect(count(texts.slice(1), received)).toEqual(NONE);
    },
  );

  it('costs no read when nobody waits for it any more', async () => {
    const one = await instance(redis.url, { prefix, auditInterval: 60_000 });
    const ids = await sendAll(
      one,
      Array.from({ length: 60 }, (_, n) => `${n} `.padEnd(100_000, 'x')),
    );
    const { history } = one.open('large').feed;
    // So that positions are known, and reading a page is one call.
    for (const id of ids.slice(0, 40)) {
      await history!.read(id, 1);
    }
    const before = await bytesSent();
    const leaving = new AbortController();
    const reads = ids.slice(0, 40).map((id) => history!.read(id, 256, leaving.signal));
    const settled = Promise.allSettled(reads);
    await Promise.race(reads);
    leaving.abort();
    const codes = (await settled).map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'read',
    );
    expect(codes.filter((code) => code === 'CLOSED').length).toBeGreaterThanOrEqual(20);
    expect(codes.filter((code) => code === 'read').length).toBeLessThanOrEqual(20);
    expect((await bytesSent()) - before).toBeLessThan(20 * 1_000_000);
    // The next one is served, and nothing of it is a fault.
    const page = await history!.read(ids[40], 256);
    expect(page.events.length).toBeGreaterThan(0);
    expect([...one.log.errors, ...one.log.lines]).toEqual([]);
  });
});
