import { randomUUID } from 'node:crypto';
import { SseError } from '../../channel/sse-error.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { RedisClient } from '../redis/redis-option.js';
import type { RedisStreams } from '../redis/redis-streams.js';
import {
  DEFAULT_MAX_WAITING,
  DEFAULT_WAITING_TTL_MS,
  type KeyEvent,
  type KeyReading,
  type KeyStore,
  type WaitingLimits,
} from './key-store.js';
import {
  runBatch,
  runScripts,
  type RedisCommand,
  type RedisReply,
  type ScriptCall,
} from '../redis/redis-batch.js';
import { RedisElection } from './redis-election.js';
import { heldOf } from './redis-held.js';
import { GIVE_BACK, PUSH, SETTLE, SHARE, TAKE } from './redis-scripts.js';
import { RedisPushQueue } from './redis-push-queue.js';
import { isEmpty, settledReading, sharedReading, takenReading } from './redis-reading.js';
import { formatWaiting, sharesSlot, slotTag, tooManyWaiting, waitingKey } from './waiting-event.js';

/** How many values are taken from one key at a time, so that no reply grows without bound. */
const TAKE_LIMIT = 1_000;

const NOTHING: KeyReading = { events: [] };

/** A key that holds something, and its place among those that were asked for. */
interface HeldKey {
  readonly key: string;
  readonly index: number;
}

/**
 * Keys in Redis ≥ 6.2 or Valkey. Idle keys share an `EXISTS`, all in one pipeline; only
 * those that hold something are taken, each in one atomic script, so that two
 * instances never get the same value.
 */
export class RedisKeyStore implements KeyStore {
  readonly polled = true;
  private readonly maxWaiting: number;
  private readonly waitingTtl: number;
  private readonly pushes = new RedisPushQueue(
    (key, events) => this.pushAll(key, events),
    (key) => tooManyWaiting(key, this.maxWaiting),
  );

  readonly follow: KeyStore['follow'];
  readonly election: KeyStore['election'];

  /** @param streams carries what is taken to all instances; without, it is this instance's alone */
  constructor(
    private readonly connection: RedisConnection,
    limits: WaitingLimits = {},
    private readonly streams?: RedisStreams,
  ) {
    this.follow =
      streams &&
      ((key, sink, options) =>
        streams.open(this.streamKey(key), sink, { channel: key, ...options }));
    this.election = streams && new RedisElection(streams);
    this.maxWaiting = limits.maxWaiting ?? DEFAULT_MAX_WAITING;
    this.waitingTtl = limits.waitingTtl ?? DEFAULT_WAITING_TTL_MS;
  }

  check(key: string): void {
    if (this.connection.isCluster && !sharesSlot(key)) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The key ${JSON.stringify(key)} cannot share a hash slot with the list of its waiting ` +
          'events, as a Redis Cluster demands. Leave out the }, or give the key a hash tag {…}.',
      );
    }
  }

  take(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return this.connected(keys, (client) => this.takeWith(client, keys));
  }

  look(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return this.connected(keys, (client) => this.lookWith(client, keys));
  }

  push(key: string, event: KeyEvent): Promise<void> {
    return this.pushes.push(key, event);
  }

  async giveBack(key: string, events: readonly KeyEvent[]): Promise<void> {
    const texts = events.map((event) => `0${formatWaiting(event)}`).reverse();
    await this.run({
      script: GIVE_BACK,
      keys: [waitingKey(key)],
      args: [this.waitingTtl, ...texts],
    });
  }

  async set(key: string, value: string): Promise<void> {
    await this.command(['set', key, value]);
  }

  async delete(key: string): Promise<void> {
    await this.command(['del', key, waitingKey(key)]);
  }

  onAvailable(listener: () => void): () => void {
    return this.connection.onReady(listener);
  }

  private async connected(
    keys: readonly string[],
    read: (client: RedisClient) => Promise<readonly KeyReading[]>,
  ): Promise<readonly KeyReading[]> {
    let client: RedisClient;
    try {
      client = await this.connection.client();
    } catch (failure) {
      const down = failure instanceof SseError && failure.code === 'UNAVAILABLE';
      const reported = down && this.connection.owned;
      return keys.map(() => ({ events: [], failure, reported }));
    }
    // What is sent from here on is appended behind this reading.
    await this.pushes.settled(keys);
    return read(client);
  }

  private async takeWith(
    client: RedisClient,
    keys: readonly string[],
  ): Promise<readonly KeyReading[]> {
    const { drops } = this.connection;
    const looks = await heldOf(client, keys);
    const readings = looks.map((reply) => this.failed(reply, false) ?? NOTHING);
    const held = keys.flatMap((key, index) => {
      const reply = looks[index]!;
      return 'ok' in reply && Number(reply.ok) > 0 ? [{ key, index }] : [];
    });
    const taken = this.streams
      ? await this.share(this.streams, client, held)
      : await this.takeAway(client, held, drops);
    held.forEach(({ index }, nth) => (readings[index] = taken[nth]!));
    return readings;
  }

  private async takeAway(
    client: RedisClient,
    held: readonly HeldKey[],
    drops: number,
  ): Promise<readonly KeyReading[]> {
    const replies = await runScripts(
      client,
      held.map(({ key }) => ({ script: TAKE, keys: [key, waitingKey(key)], args: [TAKE_LIMIT] })),
    );
    return replies.map((reply) => {
      const reading = this.failed(reply, true) ?? takenReading(reply);
      // A client that resends on its own hides that the first reply, with the values, is gone.
      const lost = reading.lost === true || (drops !== this.connection.drops && isEmpty(reading));
      return { ...reading, lost };
    });
  }

  private async share(
    streams: RedisStreams,
    client: RedisClient,
    held: readonly HeldKey[],
  ): Promise<readonly KeyReading[]> {
    await streams.server.known();
    const args = [TAKE_LIMIT, streams.server.publishCommand, ...streams.limits];
    const replies = await runScripts(
      client,
      held.map(({ key }) => ({
        script: SHARE,
        keys: [key, waitingKey(key), this.streamKey(key)],
        args,
      })),
    );
    return replies.map((reply) => this.failed(reply, false) ?? sharedReading(reply));
  }

  private streamKey(key: string): string {
    return `${this.streams?.settings.prefix ?? ''}{${slotTag(key)}}:key:${key}`;
  }

  private async lookWith(
    client: RedisClient,
    keys: readonly string[],
  ): Promise<readonly KeyReading[]> {
    const replies = await runBatch(
      client,
      keys.flatMap((key): RedisCommand[] => [
        ['get', key],
        ['exists', waitingKey(key)],
      ]),
    );
    const readings = keys.map((_, index): KeyReading => {
      const [value, waiting] = [replies[2 * index]!, replies[2 * index + 1]!];
      return (
        this.failed(value, false) ??
        this.failed(waiting, false) ?? {
          events: [],
          value: ('ok' in value ? (value.ok as string | null) : null) ?? undefined,
          more: 'ok' in waiting && Number(waiting.ok) > 0,
        }
      );
    });
    const held = readings.flatMap((reading, index) => (reading.more ? [index] : []));
    const settled = await runScripts(
      client,
      held.map((index) => {
        const key = keys[index]!;
        return { script: SETTLE, keys: [key, waitingKey(key)], args: [TAKE_LIMIT] };
      }),
    );
    held.forEach((index, nth) => {
      readings[index] = this.failed(settled[nth]!, true) ?? settledReading(settled[nth]!);
    });
    return readings;
  }

  private async pushAll(key: string, events: readonly KeyEvent[]): Promise<number> {
    const waiting = waitingKey(key);
    // Our own connection never resends, a client of the user's may.
    const marker = this.connection.owned ? [] : [`${waiting}:sent:${randomUUID()}`];
    await this.streams?.server.known();
    const wake = this.streams?.server.publishCommand ?? '';
    const accepted = await this.run({
      script: PUSH,
      keys: [key, waiting, this.streamKey(key), ...marker],
      args: [this.maxWaiting, this.waitingTtl, wake, ...events.map(formatWaiting)],
    });
    return Number(accepted);
  }

  private async run(call: ScriptCall): Promise<unknown> {
    const [reply] = await runScripts(await this.connection.client(), [call]);
    return this.accepted(reply!);
  }

  private async command(command: RedisCommand): Promise<void> {
    const [reply] = await runBatch(await this.connection.client(), [command]);
    this.accepted(reply!);
  }

  private accepted(reply: RedisReply): unknown {
    if ('ok' in reply) {
      return reply.ok;
    }
    throw new SseError(
      'UNAVAILABLE',
      `Redis at ${this.connection.address} did not take the value: ${reply.error.message}`,
      { cause: reply.error },
    );
  }

  /** The reading that stands for an error reply. */
  private failed(reply: RedisReply, taking: boolean): KeyReading | undefined {
    if ('ok' in reply) {
      return undefined;
    }
    const { error } = reply;
    if (error.message.includes('WRONGTYPE')) {
      return { events: [], refused: 'it, or the list of its waiting events, has another type' };
    }
    // What the server itself answers is known only here; a lost connection reports itself.
    const answered = error.name === 'ReplyError';
    const sent = !answered && !error.message.includes("isn't writeable");
    return {
      events: [],
      failure: error,
      reported: !answered && this.connection.owned,
      lost: taking && sent,
    };
  }
}
