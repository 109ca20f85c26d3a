import { setTimeout as sleep } from 'node:timers/promises';
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
import { isLost } from './key-reading.js';

/** How many calls are sent together: few at first, and more as long as they take little. */
const FEWEST = 4;
const MOST = 256;
/** A group of calls that takes more bytes than this makes the next one smaller, and delays it. */
const GROUP_BYTES = 131_072;
/**
 * How much is taken in a second, then: Redis publishes it to every instance that follows the key,
 * and drops the connection of one that falls too far behind.
 */
const BYTES_PER_MS = 33_554_432 / 1_000;

/** A call that waits to be sent. */
interface Pending {
  readonly call: ScriptCall;
  readonly bytesOf: (answer: unknown) => number;
  readonly done: (reply: RedisReply) => void;
}

/**
 * Sends the commands that read keys. It never rejects and never waits for long: a client that the
 * application brings may hold a command until its connection is back, or wait for ever for a reply.
 */
export class KeyReads {
  private pending: Pending[] = [];
  private isSending = false;
  private readonly waiting = new Set<(reason: string) => void>();

  constructor(private readonly connection: RedisConnection) {
    connection.onDrop(() => this.waiting.forEach((giveUp) => giveUp('the connection was lost')));
  }

  /** Runs many commands in one round trip. */
  batch(client: RedisClient, commands: readonly RedisCommand[]): Promise<readonly RedisReply[]> {
    return this.inTime(runBatch(client, commands), commands.length);
  }

  /**
   * Runs script calls that may each keep Redis busy for a while. Only a few are under way at a
   * time, for all callers together, so that Redis serves others in between.
   *
   * @param bytesOf how many bytes a call has taken, by its answer
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

function bytesTaken(group: readonly Pending[], replies: readonly RedisReply[]): number {
  let bytes = 0;
  group.forEach(({ bytesOf }, index) => {
    const reply = replies[index]!;
    bytes += 'ok' in reply ? bytesOf(reply.ok) : 0;
  });
  return bytes;
}
