import type { Channel } from '../channel/channel.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { inSlices } from '../channel/slices.js';
import type { ChannelRates } from './channel-rates.js';
import { SLICE_MS } from './sorted.js';

/** What all channels have together. */
export interface ChannelSums {
  readonly readers: number;
  /** Retained events, and about how many bytes they take. */
  readonly events: number;
  readonly bytes: number;
}

/** Walks over all channels. */
export async function sumsOf(registry: ChannelRegistry, rates: ChannelRates): Promise<ChannelSums> {
  const sums = { readers: 0, events: 0, bytes: 0 };
  const look = rates.begin();
  const visit = (channel: Channel): void => {
    sums.readers += channel.readers.size;
    sums.events += channel.log.size;
    sums.bytes += channel.log.bytes;
    look?.(channel);
  };
  await inSlices(registry.channels, visit, SLICE_MS);
  if (look) {
    const closed = rates.closed(
      registry.size,
      (channel) => registry.sourceOf(channel) !== undefined,
    );
    await inSlices(closed, () => undefined, SLICE_MS);
  }
  return sums;
}
