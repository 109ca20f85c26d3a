import { runScripts } from '../redis/redis-batch.js';
import { refusalOf } from '../redis/redis-refusal.js';
import type { RedisScript } from '../redis/redis-script.js';
import type { RedisStreams } from '../redis/redis-streams.js';
import { BEAT, BURY, CLAIM, LEAVE, RELEASE, SWEEP } from './redis-election-scripts.js';

/** How long what instances that are all gone have left is kept, in milliseconds. */
const KEEP_MS = 60_000;

/** What instances say to each other in Redis to elect who polls keys. Each call may reject. */
export class ElectionCalls {
  /** The instances that live, and how often each has beaten. */
  readonly instances: string;
  /** Who is elected, and the channel on which is told what was given up. */
  readonly elected: string;

  constructor(private readonly streams: RedisStreams) {
    const { prefix } = streams.settings;
    this.instances = `${prefix}{pollers}:instances`;
    this.elected = `${prefix}{pollers}:elected`;
  }

  /** Answers how often each instance has beaten; nothing when this one was declared dead. */
  async beat(id: string, beats: number): Promise<Map<string, string> | undefined> {
    const reply = await this.call(BEAT, [this.instances, this.elected], [id, beats, KEEP_MS]);
    return reply === null ? undefined : pairsOf(reply as readonly string[]);
  }

  /**
   * Answers for each name who is elected, an empty text for the one that asks; nothing when that
   * one was declared dead.
   */
  async claim(id: string, names: readonly string[]): Promise<readonly string[] | undefined> {
    const args = [id, KEEP_MS, ...names];
    const reply = await this.call(CLAIM, [this.instances, this.elected], args);
    return (reply as readonly string[] | null) ?? undefined;
  }

  async release(id: string, names: readonly string[]): Promise<void> {
    const { server } = this.streams;
    await server.known();
    await this.call(RELEASE, [this.elected], [id, server.publishCommand, ...names]);
  }

  /** Declares an instance dead that has not beaten since; false when it has, or is gone already. */
  async bury(id: string, beats: string): Promise<boolean> {
    if (Number(await this.call(BURY, [this.instances], [id, beats])) !== 1) {
      return false;
    }
    let cursor = '0';
    do {
      cursor = String(await this.call(SWEEP, [this.instances, this.elected], [cursor]));
    } while (cursor !== '0');
    return true;
  }

  async leave(id: string): Promise<void> {
    await this.call(LEAVE, [this.instances], [id]);
  }

  /** Whether a call that has failed so will fail again: a right is missing, or memory. */
  isRefusal(error: Error): boolean {
    return refusalOf(error, this.streams.connection.address, this.elected) !== undefined;
  }

  private async call(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const client = await this.streams.connection.client();
    const [reply] = await runScripts(client, [{ script, keys, args }]);
    if ('ok' in reply!) {
      return reply.ok;
    }
    throw reply!.error;
  }
}

function pairsOf(flat: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let n = 0; n < flat.length; n += 2) {
    pairs.set(flat[n]!, flat[n + 1]!);
  }
  return pairs;
}
