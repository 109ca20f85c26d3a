import { monotonicNow } from '../../../channel/clock.js';
import type { RedisCommand, RedisReply } from '../../redis/redis-call.js';
import type { RedisClient } from '../../redis/redis-option.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import type { KeyReading, KnownValue } from '../key-store.js';
import { LOOK, SETTLE } from './lua/lua.generated.js';
import { bytesOf, failedReading, isLost, settledReading } from './key-reading.js';
import { CALL_BYTES, CALL_VALUES, existsCommand, type KeyReads } from './key-reads.js';
import { waitingKey } from '../waiting-event.js';

/**
 * We simply read a value of up to this many bytes. The digest of a larger one costs Redis about three
 * times as much as reading it, but neither the network nor this process carries the value.
 */
const SMALL_BYTES = 16_384;

/** The most bytes a second of which Redis makes digests for us: about 4 % of its one core. */
const DIGEST_BYTES_PER_S = 8 * 1_048_576;

interface LargeValue extends KnownValue {
  readonly length: number;
  readonly digest: string;
  /** When it was last compared as a whole, on the clock of `monotonicNow()`. */
  comparedAt: number;
}

interface Looked {
  readonly key: string;
  readonly known: LargeValue | undefined;
  /** Set once the value is known. */
  reading: KeyReading | undefined;
  /** Whether events wait beside the key, as far as that is known. */
  waits: boolean;
  /** The value's length, as far as it is known. */
  length: number | undefined;
}

/** Looks at the values of keys in Redis, and reads large ones only when they have changed. */
export class KeyLook {
  private readonly digests = new DigestBudget();
  private hasWarned = false;

  /** @param largest the most bytes of a value */
  constructor(
    private readonly reads: KeyReads,
    private readonly largest: number,
    private readonly streams: RedisStreams,
  ) {}

  async look(
    client: RedisClient,
    keys: readonly string[],
    known: readonly (KnownValue | undefined)[],
  ): Promise<readonly KeyReading[]> {
    const looked = keys.map((key, index): Looked => ({
      key,
      known: known[index] as LargeValue | undefined,
      reading: undefined,
      waits: false,
      length: undefined,
    }));
    await this.glance(client, looked);
    await this.settle(client, looked);
    await this.compare(client, looked);
    return looked.map(({ reading }) => reading ?? UNCHANGED);
  }

  /** Reads small values, and only the length of large ones. */
  private async glance(client: RedisClient, looked: readonly Looked[]): Promise<void> {
    const replies = await this.reads.batch(
      client,
      looked.flatMap(({ key, known }): RedisCommand[] => [
        known ? ['strlen', key] : ['getrange', key, 0, SMALL_BYTES],
        existsCommand(key),
      ]),
    );
    looked.forEach((one, index) => {
      const [value, exist] = [replies[2 * index]!, replies[2 * index + 1]!];
      const count = 'ok' in exist ? Number(exist.ok) : 0;
      // An empty value and a missing key look alike, so the one that exists may be the list.
      const isEmpty = 'ok' in value && (value.ok === '' || value.ok === 0);
      one.waits = count === 2 || (count === 1 && isEmpty);
      one.reading = one.waits ? undefined : (this.failed(value) ?? this.failed(exist));
      if (one.reading || !('ok' in value)) {
        return;
      }
      if (typeof value.ok === 'number') {
        one.length = value.ok;
      } else if (count === 0) {
        one.reading = { events: [] };
      } else if (!isEmpty && Buffer.byteLength(value.ok as string) <= SMALL_BYTES) {
        // Decoding only ever adds bytes, so a short text is the whole value.
        one.reading = one.waits ? undefined : { events: [], value: value.ok as string };
      }
    });
  }

  /** Takes the events that wait beside keys, and sets each key to its last event. */
  private async settle(client: RedisClient, looked: readonly Looked[]): Promise<void> {
    const waiting = looked.filter(({ waits, reading }) => waits && !reading);
    const replies = await this.reads.inGroups(
      client,
      waiting.map(({ key }) => ({
        script: SETTLE,
        keys: [key, waitingKey(key)],
        args: [CALL_VALUES, CALL_BYTES],
      })),
      bytesOf,
    );
    waiting.forEach((one, index) => {
      const reply = replies[index]!;
      const failed = this.failed(reply);
      // The script may have taken events that the missing reply held.
      one.reading = failed ? { ...failed, lost: isLost(reply) } : settledReading(reply);
    });
  }

  /** Reads the large values that are not the known ones. */
  private async compare(client: RedisClient, looked: readonly Looked[]): Promise<void> {
    const now = monotonicNow();
    // If the budget is too small for all, the keys that have waited longest come first.
    const open = looked
      .filter(({ reading }) => !reading)
      .toSorted((a, b) => (a.known?.comparedAt ?? 0) - (b.known?.comparedAt ?? 0))
      .filter((one) => this.isDue(one));
    const replies = await this.reads.inGroups(
      client,
      open.map(({ key, known }) => ({
        script: LOOK,
        keys: [key],
        args: [this.largest, known?.digest ?? ''],
      })),
      bytesOf,
    );
    open.forEach((one, index) => {
      const reply = replies[index]!;
      if (one.known) {
        one.known.comparedAt = now;
      }
      one.reading = this.failed(reply) ?? readingOf(reply, now);
    });
  }

  private failed(reply: RedisReply): KeyReading | undefined {
    return failedReading(reply, this.streams.connection.reportsLoss);
  }

  private isDue({ known, length }: Looked): boolean {
    if (!known || length !== known.length || this.digests.spend(known.length)) {
      return true;
    }
    if (!this.hasWarned) {
      this.hasWarned = true;
      this.streams.logger.warn(
        "Keys with `mode: 'watch'` hold too many large values for Redis to compare all of them at " +
          'each `interval`. A change that keeps the length of a value may be noticed later. ' +
          'Watch smaller values, or set a longer `interval`.',
      );
    }
    return false;
  }
}

/** Turns the look script's reply into a reading. */
function readingOf(reply: RedisReply, now: number): KeyReading {
  const answer = 'ok' in reply ? reply.ok : null;
  if (answer === '=') {
    return UNCHANGED;
  }
  if (typeof answer === 'number') {
    return { events: [], tooLarge: answer };
  }
  if (answer === null) {
    return { events: [], value: undefined };
  }
  const [length, digest, value] = answer as [number, string, string];
  const known: LargeValue = { length, digest, comparedAt: now };
  return { events: [], value, known };
}

const UNCHANGED: KeyReading = { events: [], unchanged: true };

/** Limits the bytes of which Redis makes digests. */
class DigestBudget {
  private left = DIGEST_BYTES_PER_S;
  private at = monotonicNow();

  /** Spends budget on a value, if there is any left. Returns whether there was. */
  spend(bytes: number): boolean {
    const now = monotonicNow();
    this.left = Math.min(
      DIGEST_BYTES_PER_S,
      this.left + ((now - this.at) / 1_000) * DIGEST_BYTES_PER_S,
    );
    this.at = now;
    if (this.left <= 0) {
      return false;
    }
    // One large value may overdraw the budget; the next ones wait longer.
    this.left -= bytes;
    return true;
  }
}
