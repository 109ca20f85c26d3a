import { withDeadline } from '../channel/deadline.js';
import { LimitedLog } from '../channel/limited-log.js';
import { reasonOf } from '../channel/reason.js';
import type { SseLogger } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import { callRedis, type RedisCommand } from '../sources/redis/redis-call.js';
import type { RedisConnection } from '../sources/redis/redis-connection.js';
import { refusalOf } from '../sources/redis/redis-refusal.js';
import type { TicketStore } from './ticket-store.js';

/** How long Redis may take, in milliseconds: somebody waits for the stream. */
const CALL_TIMEOUT_MS = 3_000;

/**
 * The tickets of all instances, one key each. Taking one is one command (GETDEL), so it works in a
 * Cluster and behind Sentinel. When its reply is lost, ioredis sends it again and finds nothing:
 * the ticket is then refused.
 */
export class RedisTicketStore implements TicketStore {
  private readonly log: LimitedLog;

  constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
    logger: SseLogger,
  ) {
    this.log = new LimitedLog(logger);
  }

  async put(digest: string, content: string, ttl: number): Promise<void> {
    // Without NX, which would refuse the call that ioredis repeats: no two tickets are alike.
    await this.call('SET', this.keyOf(digest), content, 'PX', ttl);
  }

  async take(digest: string): Promise<string | undefined> {
    const content = await this.call('GETDEL', this.keyOf(digest));
    return typeof content === 'string' ? content : undefined;
  }

  /** Differs from the keys of streams, which have a channel in braces there. */
  private keyOf(digest: string): string {
    return `${this.prefix}ticket:${digest}`;
  }

  /** Calls Redis, and logs a refusal for the operator. @throws SseError `UNAVAILABLE` */
  private async call(...command: RedisCommand): Promise<unknown> {
    const { address } = this.connection;
    try {
      const client = await this.connection.client();
      return await withDeadline(callRedis(client, ...command), CALL_TIMEOUT_MS, 'Redis');
    } catch (cause) {
      const refusal = refusalOf(cause as Error, address, `${this.prefix}ticket:…`);
      if (refusal && refusal.code === 'UNAVAILABLE') {
        this.log.error(`A ticket could not be kept or checked. ${refusal.message}`);
      }
      if (refusal || cause instanceof SseError) {
        throw refusal ?? cause;
      }
      throw new SseError('UNAVAILABLE', `Redis at ${address}: ${reasonOf(cause)}.`, { cause });
    }
  }
}
