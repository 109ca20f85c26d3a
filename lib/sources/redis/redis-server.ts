import type { SseLogger } from '../../channel/source.js';
import { hashSlot } from './hash-slot.js';
import { callRedis } from './redis-call.js';
import type { RedisNode, RedisClient } from './redis-option.js';
import type { RedisConnection } from './redis-connection.js';
import { refusalOf } from './redis-refusal.js';

/** The first version in which a Cluster publishes within a shard. */
const SHARDED_SINCE = 7;

/** Facts about the server that we must know before it can carry channels. */
export class RedisServer {
  private info: Promise<void> | undefined;
  /** Whether messages stay within the shard of their channel. */
  sharded = false;
  private isWaitRefused = false;
  /** The next WAIT of each client. */
  private readonly waits = new Map<RedisClient, Promise<number>>();

  constructor(
    private readonly connection: RedisConnection,
    private readonly logger: SseLogger,
  ) {}

  /** The command that scripts publish with. */
  get publishCommand(): 'PUBLISH' | 'SPUBLISH' {
    return this.sharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /**
   * Asks the server once whether it shards messages and whether it evicts keys.
   * @throws SseError `UNAVAILABLE`
   */
  known(): Promise<void> {
    return (this.info ??= this.ask().catch((error: unknown) => {
      this.info = undefined;
      throw error;
    }));
  }

  /** The number of replicas that have what our connection wrote to this key; 0 when nobody knows. */
  async waitForReplicas(key: string, count: number, timeout: number): Promise<number> {
    const client = await this.connection.client().catch(() => undefined);
    const node = client && nodeOf(client, key);
    return node ? this.waitAt(node, count, timeout) : 0;
  }

  /**
   * While replicas are missing, WAIT blocks all other commands of the connection. So all writes of one
   * turn share one WAIT.
   */
  private waitAt(node: RedisClient, count: number, timeout: number): Promise<number> {
    let wait = this.waits.get(node);
    if (!wait) {
      const { drops } = this.connection;
      wait = new Promise((resolve) => setImmediate(resolve))
        .then(() => {
          this.waits.delete(node);
          return callRedis(node, 'WAIT', count, timeout);
        })
        // A client of the application repeats WAIT on its next connection, which has written nothing.
        .then((replicas) => (this.connection.drops === drops ? Number(replicas) : 0))
        .catch((error: unknown) => this.noReplicas(error as Error));
      this.waits.set(node, wait);
    }
    return wait;
  }

  private noReplicas(error: Error): number {
    const refusal = refusalOf(error, this.connection.address, '');
    if (refusal && !this.isWaitRefused) {
      this.isWaitRefused = true;
      this.logger.error(`send() rejects, because WAIT for replicas fails: ${refusal.message}`);
    }
    return 0;
  }

  private async ask(): Promise<void> {
    const client = await this.connection.client();
    let info: string;
    try {
      info = String(await callRedis(client, 'INFO'));
    } catch (error) {
      if (refusalOf(error as Error, this.connection.address, '') === undefined) {
        throw error;
      }
      this.logger.warn(
        `Redis at ${this.connection.address} refuses INFO: ${(error as Error).message}. Its version ` +
          'and its eviction policy remain unknown, and we use classic pub/sub.',
      );
      return;
    }
    this.sharded =
      this.connection.isCluster && Number.parseInt(lineOf(info, 'redis_version')) >= SHARDED_SINCE;
    this.warnOfEviction(info);
  }

  private warnOfEviction(info: string): void {
    const policy = lineOf(info, 'maxmemory_policy');
    const limited = Number(lineOf(info, 'maxmemory')) > 0;
    // Our keys have a time to live, so the volatile policies evict them as well.
    if (limited && policy !== '' && policy !== 'noeviction') {
      this.logger.warn(
        `Redis at ${this.connection.address} evicts keys when its memory is full (maxmemory-policy ` +
          `${policy}), and with them channels, whose clients receive sse:reset. Set noeviction.`,
      );
    }
  }
}

function lineOf(info: string, name: string): string {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';
}

/** The connection that carries commands with this key. */
function nodeOf(client: RedisClient, key: string): RedisClient | undefined {
  if (!client.isCluster) {
    return client;
  }
  const cluster = client as RedisClient & {
    readonly slots: readonly (readonly string[] | undefined)[];
    nodes(role: 'master'): readonly RedisNode[];
  };
  const owner = cluster.slots[hashSlot((client.options?.keyPrefix ?? '') + key)]?.[0];
  return cluster.nodes('master').find(({ options }) => `${options.host}:${options.port}` === owner);
}
