import type { SseLogger } from '../../channel/source.js';
import { hashSlot } from './hash-slot.js';
import type { RedisNode, RedisClient } from './redis-option.js';
import type { RedisConnection } from './redis-connection.js';
import { refusalOf } from './redis-refusal.js';

/** From which version a Cluster publishes within a shard. */
const SHARDED_SINCE = 7;

/** What has to be known of the server before channels can be carried by it. */
export class RedisServer {
  private info: Promise<void> | undefined;
  private isSharded = false;

  constructor(
    private readonly connection: RedisConnection,
    private readonly logger: SseLogger,
  ) {}

  /** Whether messages stay within the shard of their channel. */
  get sharded(): boolean {
    return this.isSharded;
  }

  /** The command that scripts publish with. */
  get publishCommand(): 'PUBLISH' | 'SPUBLISH' {
    return this.isSharded ? 'SPUBLISH' : 'PUBLISH';
  }

  /**
   * Resolves once the above is known, at once after the first time.
   * @throws SseError `UNAVAILABLE`
   */
  known(): Promise<void> {
    return (this.info ??= this.ask().catch((error: unknown) => {
      this.info = undefined;
      throw error;
    }));
  }

  /** How many replicas have what was written to each of these keys last. */
  async waitForReplicas(
    keys: readonly string[],
    count: number,
    timeout: number,
  ): Promise<readonly number[]> {
    const client = await this.connection.client().catch(() => undefined);
    const byNode = new Map<RedisClient | undefined, Promise<number>>();
    return Promise.all(
      keys.map((key) => {
        const node = client && nodeOf(client, key);
        let reply = byNode.get(node);
        if (!reply) {
          reply = node
            ? node.call('WAIT', count, timeout).then(Number, () => 0)
            : Promise.resolve(0);
          byNode.set(node, reply);
        }
        return reply;
      }),
    );
  }

  private async ask(): Promise<void> {
    const client = await this.connection.client();
    let info: string;
    try {
      info = String(await client.call('INFO'));
    } catch (error) {
      if (refusalOf(error as Error, this.connection.address, '') === undefined) {
        throw error;
      }
      this.logger.warn(
        `Redis at ${this.connection.address} refuses INFO: ${(error as Error).message}. Its version ` +
          'and its eviction policy stay unknown, and classic pub/sub is used.',
      );
      return;
    }
    this.isSharded =
      this.connection.isCluster && Number.parseInt(lineOf(info, 'redis_version')) >= SHARDED_SINCE;
    this.warnOfEviction(info);
  }

  private warnOfEviction(info: string): void {
    const policy = lineOf(info, 'maxmemory_policy');
    const limited = Number(lineOf(info, 'maxmemory')) > 0;
    // Our keys have a time to live, so the volatile policies evict them too.
    if (limited && policy !== '' && policy !== 'noeviction') {
      this.logger.warn(
        `Redis at ${this.connection.address} evicts keys when its memory is full (maxmemory-policy ` +
          `${policy}), channels among them. Clients would be told by sse:reset. Set noeviction.`,
      );
    }
  }
}

function lineOf(info: string, name: string): string {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';
}

/** The connection on which a command with this key is sent. */
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
