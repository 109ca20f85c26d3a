import { until } from '../support/until.js';
import { withRedis } from './instances.js';

/**
 * Resolves once all nodes know that the slot belongs to the owner, and since which epoch.
 *
 * A node that takes a slot gives itself an epoch above all that it has heard of. Where it has not
 * heard of its predecessor's, a late message of that one takes the slot back: two nodes then send
 * clients to each other for ever.
 */
export async function ownerIsKnown(
  urls: readonly string[],
  slot: number,
  ownerId: string,
): Promise<void> {
  const views = () => Promise.all(urls.map((url) => viewOf(url, slot, ownerId)));
  await until(
    async () => {
      const known = (await views()).filter((view) => view !== 'unreachable');
      return !known.includes(undefined) && new Set(known).size === 1;
    },
    { what: `all nodes to know the owner of slot ${slot}` },
  );
}

/** The epoch of the owner, as a node knows it; `undefined` when it takes another one for the owner. */
async function viewOf(url: string, slot: number, ownerId: string): Promise<string | undefined> {
  try {
    return await withRedis(url, async (node) => {
      const line = String(await node.call('CLUSTER', 'NODES'))
        .split('\n')
        .find((each) => each.startsWith(ownerId))!;
      const [, , , , , , epoch, , ...ranges] = line.split(' ');
      const isOwner = ranges.some((range) => {
        const [first, last = first] = range.split('-').map(Number);
        return first! <= slot && slot <= last!;
      });
      return isOwner ? epoch : undefined;
    });
  } catch {
    return 'unreachable';
  }
}
