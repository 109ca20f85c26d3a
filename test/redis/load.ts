import { expect } from '@jest/globals';
import { compareStreamIds } from '../../lib/sources/redis/stream-id.js';
import { until } from '../support/until.js';
import { count, NONE, type Instance, type Recorded } from './instances.js';

/** Events sent at a steady pace, from several instances to several channels. */
export interface Load {
  /** What a channel accepted after an id, or from the beginning on, in the order of the ids. */
  accepted(channel: string, after?: string): string[];
  /** How many sends were rejected. */
  readonly rejected: number;
  readonly sent: number;
  /** Ends the load; resolves once every send is accepted or rejected. */
  stop(): Promise<void>;
}

/** Sends a few events to each channel every few milliseconds until it is stopped. */
export function startLoad(instances: () => readonly Instance[], channels: readonly string[]): Load {
  const accepted = new Map(
    channels.map((channel) => [channel, [] as [id: string, data: string][]]),
  );
  const pending = new Set<Promise<void>>();
  let [sent, rejected] = [0, 0];
  const sendOne = (one: Instance, channel: string) => {
    const data = `${channel} ${sent++}`;
    const done = one.broker.publish(channel, { data }).then(
      (id) => void accepted.get(channel)!.push([id, data]),
      () => void rejected++,
    );
    pending.add(done);
    void done.finally(() => pending.delete(done));
  };
  const timer = setInterval(() => {
    for (const one of instances()) {
      for (const channel of channels) {
        sendOne(one, channel);
        sendOne(one, channel);
      }
    }
  }, 4);
  return {
    accepted: (channel, after = '0-0') =>
      accepted
        .get(channel)!
        .filter(([id]) => compareStreamIds(id, after) > 0)
        .sort(([a], [b]) => compareStreamIds(a, b))
        .map(([, data]) => data),
    get rejected() {
      return rejected;
    },
    get sent() {
      return sent;
    },
    async stop() {
      clearInterval(timer);
      while (pending.size > 0) {
        await Promise.all(pending);
      }
    },
  };
}

/**
 * Expects that the channel received everything that was accepted, once and in order: all of it, or
 * what came after its last reset. A reset may come late, and cover all that was sent.
 */
export async function expectContinuity(one: Recorded, load: Load, channel: string): Promise<void> {
  const received = () => one.data.slice(one.resets.at(-1)?.after ?? 0);
  const expected = () => load.accepted(channel, one.resetTo);
  await until(() => received().length >= expected().length, { every: 20 }).catch(() => undefined);
  expect(count(expected(), received())).toEqual(NONE);
  expect(one.resets.every(({ reason }) => reason === 'failover')).toBe(true);
  expect(one.events.length).toBeGreaterThan(100);
}
