import { hashSlot } from './hash-slot.js';

/** How many channels one command names. */
const CHUNK = 500;

/** Channels by command, as SSUBSCRIBE takes those of one slot only. */
export function byCommand(channels: readonly string[], sharded: boolean): string[][] {
  const groups = new Map<number, string[]>();
  for (const channel of channels) {
    const slot = sharded ? hashSlot(channel) : 0;
    const group = groups.get(slot);
    if (group) {
      group.push(channel);
    } else {
      groups.set(slot, [channel]);
    }
  }
  return [...groups.values()].flatMap((group) => {
    const commands: string[][] = [];
    for (let start = 0; start < group.length; start += CHUNK) {
      commands.push(group.slice(start, start + CHUNK));
    }
    return commands;
  });
}
