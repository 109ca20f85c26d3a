import { describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { instance, withRedis } from './instances.js';
import { prefix, redis, useOwnRedis } from './own-redis.js';

const LARGE = 'x'.repeat(1_000_000);

useOwnRedis();

/** How often scripts have run, and have read the last entry of a stream. */
function counts(): Promise<{ scripts: number; lastEntries: number }> {
  return withRedis(redis.url, async (admin) => {
    const info = await admin.info('commandstats');
    const callsOf = (name: string) =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
    return { scripts: callsOf('evalsha'), lastEntries: callsOf('xrevrange') };
  });
}

/** Waits until streams have been compared a few times. Returns how many last entries were read. */
async function readByComparisons(streams: number): Promise<number> {
  const before = await counts();
  await until(async () => (await counts()).scripts >= before.scripts + 4 * streams);
  return (await counts()).lastEntries - before.lastEntries;
}

const start = () => instance(redis.url, { prefix, auditInterval: 100 });

describe('The comparison of streams', () => {
  it.each([
    ['of one event', [LARGE]],
    ['of several events', ['a', 'b'.repeat(20_000), 'c']],
  ])('does not read a large last entry %s', async (_, texts) => {
    const [one, other] = [await start(), await start()];
    const channels = Array.from({ length: 10 }, (__, n) => `channel ${n}`);
    const recorded = channels.map((channel) => other.open(channel));
    await until(() => recorded.every((each) => each.isLive));
    await Promise.all(
      channels.flatMap((channel) => texts.map((data) => one.broker.publish(channel, { data }))),
    );
    await until(() => recorded.every((each) => each.events.length === texts.length));
    // What was published is looked for, too.
    expect(await readByComparisons(20)).toBe(0);
    expect(recorded.flatMap(({ resets }) => resets)).toEqual([]);
    // A channel that is opened only now begins behind it.
    const late = (await start()).open('channel 0');
    await until(() => late.isLive);
    expect(late.liveAt).toBe(recorded[0]!.position);
    await one.broker.publish('channel 0', { data: 'small' });
    await until(() => late.events.length > 0 && recorded[0]!.data.at(-1) === 'small');
    expect(late.data).toEqual(['small']);
    expect([...one.log.lines, ...other.log.lines]).toEqual([]);
  });

  it('reads an entry of another program once, and finds the entries behind it', async () => {
    const one = await start();
    const there = one.open('foreign');
    await until(() => there.isLive);
    const key = `${prefix}{foreign}`;
    const add = (data: string) =>
      withRedis(redis.url, (admin) => admin.xadd(key, '*', 'm', '', 'd', data));
    await add(LARGE);
    await until(() => there.events.length === 1);
    expect(await readByComparisons(1)).toBeLessThanOrEqual(1);
    expect(await readByComparisons(1)).toBe(0);
    await add('small');
    await until(() => there.events.length === 2);
    expect(there.data).toEqual([LARGE, 'small']);
  });

  it.each([
    ['its index stays', false],
    ['its index goes as well', true],
  ])('notices that a stream with a large last entry is gone: %s', async (_, withIndex) => {
    const one = await start();
    const there = one.open('gone');
    await until(() => there.isLive);
    await one.broker.publish('gone', { data: LARGE });
    await until(() => there.events.length === 1);
    const keys = [`${prefix}{gone}`, ...(withIndex ? [`${prefix}ids:{gone}`] : [])];
    await withRedis(redis.url, (admin) => admin.del(...keys));
    await until(() => there.resets.length > 0);
    await one.broker.publish('gone', { data: 'after' });
    await until(() => there.events.length === 2);
    expect(there.resets).toEqual([{ reason: 'failover', after: 1 }]);
    expect(there.data).toEqual([LARGE, 'after']);
  });
});
