import type { RedisClient } from '../../redis/redis-option.js';
import type { RedisCommand, RedisReply } from '../../redis/redis-call.js';
import type { KeyReads } from './key-reads.js';
import { waitingKey } from '../waiting-event.js';

/** How many keys one question covers. Larger groups are cheaper while most keys are idle. */
const GROUP = 50;
/** Fewer keys than this get a question each, which saves a round trip. */
const WORTH_GROUPING = 16;

/**
 * Asks for each key whether it or the list of its waiting events exists: the reply is a count
 * above zero. Most keys are idle, so it first asks about whole groups of keys, and then about
 * single keys of those groups that hold something.
 */
export async function heldOf(
  reads: KeyReads,
  client: RedisClient,
  keys: readonly string[],
): Promise<readonly RedisReply[]> {
  // A question about several keys is refused by a Cluster.
  if (client.isCluster || keys.length < WORTH_GROUPING) {
    return reads.batch(client, keys.map(question));
  }
  const groups: (readonly string[])[] = [];
  for (let start = 0; start < keys.length; start += GROUP) {
    groups.push(keys.slice(start, start + GROUP));
  }
  const counts = await reads.batch(
    client,
    groups.map((group): RedisCommand => ['exists', ...group, ...group.map(waitingKey)]),
  );
  const isIdle = (index: number) => {
    const count = counts[index]!;
    return 'ok' in count && Number(count.ok) === 0;
  };
  const busy = groups.filter((_, index) => !isIdle(index)).flat();
  const replies = (await reads.batch(client, busy.map(question)))[Symbol.iterator]();
  return groups.flatMap((group, index) =>
    group.map(() => (isIdle(index) ? { ok: 0 } : (replies.next().value as RedisReply))),
  );
}

function question(key: string): RedisCommand {
  return ['exists', key, waitingKey(key)];
}
