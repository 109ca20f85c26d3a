import { SseError } from '../../../channel/sse-error.js';
import type { CallKind } from '../../redis/numbered-call.js';
import { NumberedCalls } from '../../redis/numbered-calls.js';
import { indexKey } from '../../redis/own-ids.js';
import type { RedisReply } from '../../redis/redis-call.js';
import type { RedisClient } from '../../redis/redis-option.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import { pick, readOptions } from '../../options/option-table.js';
import {
  WAITING_LIMITS,
  type KeyEvent,
  type KeyReading,
  type KeyStore,
  type KnownValue,
  type SharedPolls,
  type SharedPollsOwner,
  type WaitingLimits,
} from '../key-store.js';
import { KeyLook } from './key-look.js';
import { KeyPushes } from './key-pushes.js';
import { bytesShared, failedReading, sharedReading } from './key-reading.js';
import { CALL_BYTES, CALL_MICROS, CALL_VALUES, KeyReads } from './key-reads.js';
import { RedisSharedPolls } from './redis-shared-polls.js';
import { SET, SHARE } from './lua/lua.generated.js';
import { sharesSlot, slotTag, waitingKey } from '../waiting-event.js';

const NOTHING: KeyReading = { events: [] };

/**
 * Calls that set keys. A repeated call does nothing, so it does not overwrite a value that another
 * program has set meanwhile.
 */
const SETS: CallKind = {
  script: SET,
  isPerLane: true,
  args: [],
  // Of several values set in one turn only the last remains.
  argsOf: ([events]) => [events!.at(-1)!.data],
  outcomes: ([, key], _answer, _number, count) =>
    Array.from({ length: count }, () => `for the key ${JSON.stringify(key)}`),
};

export interface RedisKeyLimits extends WaitingLimits {
  /** The most bytes of a value; larger values are left out. Default: any number. */
  readonly eventSize?: number | undefined;
}

/**
 * Keys in Redis ≥ 6.2 or Valkey. Idle keys share an `EXISTS`, all in one pipeline. One atomic script
 * per key that holds something takes its values and appends them to a stream, which the key's readers
 * on all instances follow.
 */
export class RedisKeyStore implements KeyStore {
  readonly polled = true;
  private readonly pushes: KeyPushes;
  private readonly sets: NumberedCalls;
  private readonly looks: KeyLook;
  private readonly reads: KeyReads;
  /** The most bytes of a value. */
  private readonly largest: number;

  /** @param streams carries taken values to all instances */
  constructor(
    private readonly streams: RedisStreams,
    limits: RedisKeyLimits = {},
  ) {
    const waiting = pick(WAITING_LIMITS, limits);
    const { maxWaiting, waitingTtl } = readOptions(WAITING_LIMITS, waiting);
    this.largest = Math.min(limits.eventSize ?? Infinity, Number.MAX_SAFE_INTEGER);
    this.pushes = new KeyPushes(streams, maxWaiting, waitingTtl, (key) => this.streamKey(key));
    this.sets = new NumberedCalls(streams, SETS);
    this.reads = new KeyReads(streams.connection);
    this.looks = new KeyLook(this.reads, this.largest, streams);
  }

  check(key: string): void {
    if (this.streams.connection.isCluster && !sharesSlot(key)) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The key ${JSON.stringify(key)} cannot share a hash slot with the list of its waiting ` +
          'events, as a Redis Cluster demands. Leave out the }, or give the key a hash tag {…}.',
      );
    }
  }

  readonly follow: NonNullable<KeyStore['follow']> = (key, sink, options) =>
    this.streams.open(this.streamKey(key), sink, options);

  take(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return this.connected(keys, (client) => this.takeWith(client, keys));
  }

  look(
    keys: readonly string[],
    known: readonly (KnownValue | undefined)[],
  ): Promise<readonly KeyReading[]> {
    return this.connected(keys, (client) => this.looks.look(client, keys, known));
  }

  push(key: string, event: KeyEvent): Promise<void> {
    return this.pushes.push(key, event);
  }

  async set(key: string, data: string): Promise<void> {
    await this.sets.publish({ data }, `sse:{${slotTag(key)}}:set:${key}`, key);
  }

  sharePolls(owner: SharedPollsOwner): SharedPolls {
    return new RedisSharedPolls(this.streams, owner);
  }

  onAvailable(listener: () => void): () => void {
    return this.streams.connection.onReady(listener);
  }

  async stop(): Promise<void> {
    await Promise.all([this.pushes.stop(), this.sets.stop()]);
  }

  private async connected(
    keys: readonly string[],
    read: (client: RedisClient) => Promise<readonly KeyReading[]>,
  ): Promise<readonly KeyReading[]> {
    const { connection, server } = this.streams;
    let client: RedisClient;
    try {
      client = await connection.client();
      await server.known();
    } catch (failure) {
      const down = failure instanceof SseError && failure.code === 'UNAVAILABLE';
      const reported = down && connection.reportsLoss;
      return keys.map(() => ({ events: [], failure, reported }));
    }
    return read(client);
  }

  private async takeWith(
    client: RedisClient,
    keys: readonly string[],
  ): Promise<readonly KeyReading[]> {
    const looks = await this.reads.held(client, keys);
    const readings = looks.map((reply) => this.failed(reply) ?? NOTHING);
    const held = keys.flatMap((key, index) => {
      const reply = looks[index]!;
      return 'ok' in reply && Number(reply.ok) > 0 ? [{ key, index }] : [];
    });
    const { server, limits } = this.streams;
    const budget = [CALL_VALUES, CALL_BYTES, CALL_MICROS, this.largest];
    const replies = await this.reads.inGroups(
      client,
      held.map(({ key }) => ({
        script: SHARE,
        keys: [key, waitingKey(key), this.streamKey(key), this.indexKey(key)],
        args: [server.publishCommand, ...limits, ...budget],
      })),
      bytesShared,
    );
    held.forEach(({ index }, nth) => {
      readings[index] = this.failed(replies[nth]!) ?? sharedReading(replies[nth]!);
    });
    return readings;
  }

  private indexKey(key: string): string {
    return indexKey(this.streamKey(key), this.streams.settings.prefix);
  }

  private streamKey(key: string): string {
    return `${this.streams.settings.prefix}{${slotTag(key)}}:key:${key}`;
  }

  private failed(reply: RedisReply): KeyReading | undefined {
    return failedReading(reply, this.streams.connection.reportsLoss);
  }
}
