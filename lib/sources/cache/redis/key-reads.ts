import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../../channel/deadline.js';
import {
  runBatch,
  runScripts,
  type RedisCommand,
  type RedisReply,
  type ScriptCall,
} from '../../redis/redis-call.js';
import { REPLY_TIMEOUT_MS } from '../../redis/own-client.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import type { RedisClient } from '../../redis/redis-option.js';
import { waitingKey } from '../waiting-event.js';
import { isLost } from './key-reading.js';

/*
 * While a script runs, Redis serves nobody else. So a call stops when it has used up one of these
 * budgets, and the next call continues.
 */

/** The most values that one call takes from a key. */
export const CALL_VALUES = 1_000;
/** About the most bytes, unless one value has more. */
export const CALL_BYTES = 262_144;
/** About the most microseconds. */
export const CALL_MICROS = 5_000;

/** The number of calls in a group: few at first, and more while calls take little. */
const FEWEST = 4;
const MOST = 256;
/** A group of calls that takes more bytes than this makes the next one smaller, and delays it. */
const GROUP_BYTES = 131_072;
/**
 * The pace after large groups: Redis publishes values to every instance that follows the key, and
 * drops the connection of an instance that falls too far behind.
 */
const BYTES_PER_MS = 33_554_432 / 1_000;

/** Keys in one EXISTS. Larger groups are cheaper while most keys are idle. */
const HELD_GROUP = 50;
/** Fewer keys than this get an EXISTS each, which saves a round trip. */
const WORTH_GROUPING = 16;

interface Pending {
  readonly call: ScriptCall;
  readonly bytesOf: (answer: unknown) => number;
  readonly done: (reply: RedisReply) => void;
}

/**
 * Sends the commands that read keys. It never rejects and never waits for long, although a client of
 * the application may hold a command until its connection is back, or wait for ever for a reply.
 */
export class KeyReads {
  private pending: Pending[] = [];
  private isSending = false;
  private readonly waiting = new Set<(reason: Error) => void>();

  constructor(private readonly connection: RedisConnection) {
    const lost = new Error('the connection was lost');
    connection.onDrop(() => this.waiting.forEach((giveUp) => giveUp(lost)));
  }

  /** Runs many commands in one round trip. */
  batch(client: RedisClient, commands: readonly RedisCommand[]): Promise<readonly RedisReply[]> {
    return this.inTime(runBatch(client, commands), commands.length);
  }

  /**
   * Asks for each key whether it or the list of its waiting events exists: the reply is a count
   * above zero. Most keys are idle, so it first asks about whole groups of keys, and then about
   * single keys of those groups that hold something.
   */
  async held(client: RedisClient, keys: readonly string[]): Promise<readonly RedisReply[]> {
    // A Cluster refuses an EXISTS of several keys.
    if (client.isCluster || keys.length < WORTH_GROUPING) {
      return this.batch(
        client,
        keys.map((key) => existsCommand(key)),
      );
    }
    const groups: (readonly string[])[] = [];
    for (let start = 0; start < keys.length; start += HELD_GROUP) {
      groups.push(keys.slice(start, start + HELD_GROUP));
    }
    const counts = await this.batch(
      client,
      groups.map((group) => existsCommand(...group)),
    );
    const isIdle = (index: number) => {
      const count = counts[index]!;
      return 'ok' in count && Number(count.ok) === 0;
    };
    const busy = groups.filter((_, index) => !isIdle(index)).flat();
    const replies = (
      await this.batch(
        client,
        busy.map((key) => existsCommand(key)),
      )
    ).values();
    return groups.flatMap((group, index) =>
      group.map(() => (isIdle(index) ? { ok: 0 } : replies.next().value!)),
    );
  }

  /**
   * Runs script calls that may each keep Redis busy for a while. Only a few are under way at a
   * time, for all callers together, so that Redis serves others in between.
   *
   * @param bytesOf the number of bytes that a call has taken, by its answer
   */
  inGroups(
    client: RedisClient,
    calls: readonly ScriptCall[],
    bytesOf: (answer: unknown) => number,
  ): Promise<readonly RedisReply[]> {
    const replies = calls.map(
      (call) =>
        new Promise<RedisReply>((done) => {
          this.pending.push({ call, bytesOf, done });
        }),
    );
    if (!this.isSending) {
      this.isSending = true;
      void this.sendAll(client);
    }
    return Promise.all(replies);
  }

  private async sendAll(client: RedisClient): Promise<void> {
    let size = FEWEST;
    while (this.pending.length > 0) {
      const group = this.pending.splice(0, size);
      const calls = group.map(({ call }) => call);
      const replies = await this.inTime(runScripts(client, calls), calls.length);
      group.forEach(({ done }, index) => done(replies[index]!));
      const bytes = bytesTaken(group, replies);
      if (bytes > GROUP_BYTES) {
        size = Math.max(FEWEST, size >> 1);
        await sleep(bytes / BYTES_PER_MS, undefined, { ref: false });
      } else {
        size = Math.min(MOST, size * 2);
      }
      const lost = replies.find(isLost);
      if (lost) {
        // Further calls would get no reply either.
        this.pending.splice(0).forEach(({ done }) => done(lost));
      }
    }
    this.isSending = false;
  }

  private async inTime(
    replies: Promise<readonly RedisReply[]>,
    count: number,
  ): Promise<readonly RedisReply[]> {
    if (this.connection.owned) {
      // Our own connection has a time limit itself.
      return replies;
    }
    let giveUp: (reason: Error) => void;
    const givenUp = new Promise<never>((_, reject) => this.waiting.add((giveUp = reject)));
    try {
      return await withDeadline(Promise.race([replies, givenUp]), REPLY_TIMEOUT_MS, 'Redis');
    } catch (error) {
      return Array.from({ length: count }, () => ({ error: error as Error }));
    } finally {
      this.waiting.delete(giveUp!);
    }
  }
}

/** Counts the keys, and the lists beside them, that exist. */
export function existsCommand(...keys: readonly string[]): RedisCommand {
  return ['exists', ...keys, ...keys.map(waitingKey)];
}

function bytesTaken(group: readonly Pending[], replies: readonly RedisReply[]): number {
  let bytes = 0;
  group.forEach(({ bytesOf }, index) => {
    const reply = replies[index]!;
    bytes += 'ok' in reply ? bytesOf(reply.ok) : 0;
  });
  return bytes;
}
