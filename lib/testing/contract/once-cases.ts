import type { Broker } from '../../channel/source.js';
import { numbered, until } from './rig.js';
import type { Context } from './source-context.js';

/** Adds a case with two brokers, each of an application of its own. */
export type AddBrokerCase = (
  name: string,
  run: (one: Context<Broker>, two: Context<Broker>) => Promise<void>,
) => void;

/** The shortest window that the module sets, in milliseconds. */
const SHORT_MS = 1_000;
const LONG_MS = 300_000;

/** Cases of `publishOnce()`. A broker without it passes them. */
export function addOnceCases(add: AddBrokerCase, isShared: boolean, timeout: number): void {
  add('publishes an event with a key once, for each channel', async (context) => {
    const { rig, source, channel, other } = context;
    if (!source.publishOnce) {
      return;
    }
    const reader = await rig.read(source, channel);
    const once = { key: 'key', window: LONG_MS };
    const first = await source.publishOnce(channel, { data: 'event 0' }, once);
    const again = await source.publishOnce(channel, { data: 'again' }, once);
    if (first.isDuplicate || !again.isDuplicate || again.id !== first.id) {
      throw new Error(
        `A repeated call gave ${JSON.stringify(again)} after ${JSON.stringify(first)}.`,
      );
    }
    const next = { key: 'another', window: LONG_MS };
    const calls = [0, 1, 2].map(() => source.publishOnce!(channel, { data: 'event 1' }, next));
    const outcomes = await Promise.all(calls);
    if (outcomes.filter(({ isDuplicate }) => !isDuplicate).length !== 1) {
      throw new Error(`Calls at the same time gave ${JSON.stringify(outcomes)}.`);
    }
    const elsewhere = await source.publishOnce(other, { data: 'event 0' }, once);
    if (elsewhere.isDuplicate) {
      throw new Error('The key of one channel was taken for that of another.');
    }
    await source.publish(channel, { data: 'event 2' });
    await rig.received(reader, numbered(3));
    if (reader.events[0]!.id !== first.id || reader.events[1]!.id !== outcomes[0]!.id) {
      throw new Error('publishOnce() gave another id than that under which the event arrived.');
    }
  });

  add('takes a key again when its window is over', async ({ rig, source, channel }) => {
    if (!source.publishOnce) {
      return;
    }
    const reader = await rig.read(source, channel);
    const once = { key: 'key', window: SHORT_MS };
    await source.publishOnce(channel, { data: 'event 0' }, once);
    const end = performance.now() + timeout;
    while ((await source.publishOnce(channel, { data: 'event 1' }, once)).isDuplicate) {
      if (performance.now() > end) {
        throw new Error(`After ${timeout} ms the key is still taken.`);
      }
    }
    await rig.received(reader, numbered(2));
  });

  if (isShared) {
    add('publishes an event once that two instances publish with one key', async (one, two) => {
      if (!one.source.publishOnce || !two.source.publishOnce) {
        return;
      }
      const { channel, rig } = one;
      const reader = await rig.read(one.source, channel);
      const texts = numbered(100);
      const calls = [one.source, two.source].map((source) =>
        Promise.all(
          texts.map((data) =>
            source.publishOnce!(channel, { data }, { key: data, window: LONG_MS }),
          ),
        ),
      );
      const [here, there] = await Promise.all(calls);
      await until(
        () => reader.data.length >= texts.length,
        () => `${reader.data.length} of ${texts.length} events came`,
        timeout,
      );
      if (texts.some((_, nth) => here![nth]!.id !== there![nth]!.id)) {
        throw new Error('Two instances have different ids for one key.');
      }
      if (reader.data.length > texts.length || new Set(reader.data).size !== texts.length) {
        throw new Error('An event with a key came twice.');
      }
    });
  }
}
