/** The number of slots in a Redis Cluster. */
export const SLOTS = 16_384;

/** The most channels that one command names. */
const CHUNK = 500;

/** The table of CRC-16/XMODEM, the hash of keys in a Redis Cluster. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return crc;
});

/** The slot of a key: of its hash tag `{…}` when it has one, else of the whole key. */
export function hashSlot(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag(key) ?? key)) {
    crc = ((crc << 8) ^ TABLE[((crc >> 8) ^ byte) & 0xff]!) & 0xffff;
  }
  return crc % SLOTS;
}

/** The text between a key's first `{` and the next `}`; `undefined` when it is empty. */
export function hashTag(key: string): string | undefined {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : undefined;
}

/** Groups channels into commands, because one SSUBSCRIBE takes channels of one slot only. */
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
