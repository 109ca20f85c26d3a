import { Child, SERVER_CORE } from '../child.js';
import type { ChannelCommands, FillOptions } from './commands.js';
import type { ChannelSize } from './results.js';

const CHANNELS = 2_000;
const FEW = 1;
const MANY = 41;

/** What `MANY` and `FEW` events a channel take, per channel. */
async function sizes(size: number): Promise<{ few: number; many: number }> {
  const holder = new Child<ChannelCommands>('./sizing/channel-process.js', SERVER_CORE);
  const fill = async (options: Omit<FillOptions, 'size'>): Promise<number> =>
    (await holder.call('fill', { ...options, size })).bytes;
  try {
    // The first channels load and compile the code, and grow V8's tables.
    const start = await fill({ channels: CHANNELS, events: MANY });
    const withFew = await fill({ channels: CHANNELS, events: FEW });
    const withMany = await fill({ channels: CHANNELS, events: MANY });
    return { few: (withFew - start) / CHANNELS, many: (withMany - withFew) / CHANNELS };
  } finally {
    await holder.end();
  }
}

/** Measures the memory of channels and of the events that they retain. */
export async function channelSize(): Promise<ChannelSize> {
  const small = await sizes(100);
  const large = await sizes(1_000);
  const event100 = (small.many - small.few) / (MANY - FEW);
  const event1000 = (large.many - large.few) / (MANY - FEW);
  return { channel: small.few - FEW * event100, event100, event1000 };
}
