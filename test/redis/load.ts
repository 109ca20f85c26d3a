import type { Instance } from './instances.js';

/** Events sent at a steady pace, from several instances to several channels. */
export interface Load {
  /** By channel: what was accepted, in the order of its ids. */
  accepted(channel: string): string[];
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
    accepted: (channel) =>
      accepted
        .get(channel)!
        .sort(([a], [b]) => orderOf(a, b))
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

function orderOf(a: string, b: string): number {
  const [aTime, aNumber] = a.split('-').map(Number) as [number, number];
  const [bTime, bNumber] = b.split('-').map(Number) as [number, number];
  return aTime - bTime || aNumber - bNumber;
}
