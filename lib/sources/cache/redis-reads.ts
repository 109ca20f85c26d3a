import {
  runBatch,
  runScripts,
  type RedisCommand,
  type RedisReply,
  type ScriptCall,
} from '../redis/redis-batch.js';
import { REPLY_TIMEOUT_MS } from '../redis/own-client.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { RedisClient } from '../redis/redis-option.js';
import { isLost } from './redis-reading.js';

/**
 * How many calls are sent together: between two such groups Redis serves others. The more as long
 * as little is taken.
 */
const FEWEST = 16;
const MOST = 256;
/** How many bytes a group may take before the next one is to be smaller. */
const GROUP_BYTES = 131_072;

/**
 * Sends what reads keys. Nothing of it rejects, and nothing waits for long: a client of the user's
 * may keep a command until its connection is back, or wait for ever for the reply of a frozen one.
 */
export class RedisReads {
  private group = FEWEST;
  private readonly waiting = new Set<(reason: string) => void>();

  constructor(private readonly connection: RedisConnection) {
    connection.onDrop(() => this.waiting.forEach((giveUp) => giveUp('the connection was lost')));
  }

  /** Runs many commands in one round trip. */
  batch(client: RedisClient, commands: readonly RedisCommand[]): Promise<readonly RedisReply[]> {
    return this.inTime(runBatch(client, commands), commands.length);
  }

  /**
   * Runs script calls each of which may take Redis a while.
   * @param bytesOf how many bytes a call has taken, by its reply
   */
  async inGroups(
    client: RedisClient,
    calls: readonly ScriptCall[],
    bytesOf: (reply: unknown) => number,
  ): Promise<readonly RedisReply[]> {
    const replies: RedisReply[] = [];
    while (replies.length < calls.length) {
      const group = calls.slice(replies.length, replies.length + this.group);
      const taken = await this.inTime(runScripts(client, group), group.length);
      replies.push(...taken);
      const lost = taken.find(isLost);
      if (lost) {
        return calls.map((_, index) => replies[index] ?? lost);
      }
      const bytes = taken.reduce((sum, reply) => sum + ('ok' in reply ? bytesOf(reply.ok) : 0), 0);
      this.group =
        bytes > GROUP_BYTES ? Math.max(FEWEST, this.group >> 1) : Math.min(MOST, this.group * 2);
    }
    return replies;
  }

  private async inTime(
    replies: Promise<readonly RedisReply[]>,
    count: number,
  ): Promise<readonly RedisReply[]> {
    if (this.connection.owned) {
      // It gives up by itself.
      return replies;
    }
    let timer: NodeJS.Timeout | undefined;
    let giveUp: (reason: string) => void = () => undefined;
    const givenUp = new Promise<readonly RedisReply[]>((resolve) => {
      giveUp = (reason) =>
        resolve(Array.from({ length: count }, () => ({ error: new Error(reason) })));
      timer = setTimeout(giveUp, REPLY_TIMEOUT_MS, `no reply within ${REPLY_TIMEOUT_MS} ms`);
    });
    this.waiting.add(giveUp);
    try {
      return await Promise.race([replies, givenUp]);
    } finally {
      this.waiting.delete(giveUp);
      clearTimeout(timer);
    }
  }
}
