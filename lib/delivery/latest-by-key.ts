import type { Channel } from '../channel/channel.js';
import type { LogEntry } from '../channel/log-entry.js';
import { atOnce } from '../channel/at-once.js';
import { RESET_TYPE } from '../channel/reset-event.js';
import { eventOf } from './event-of.js';
import type { LatestOnly } from './overflow.js';

/** The most keys that are kept. Beyond them, the key that changed longest ago is forgotten. */
const MAX_KEYS = 10_000;
/** The most bytes of their events, in the same way. */
const MAX_BYTES = 8 * 1_048_576;

/**
 * The newest event of each key of a channel, so that readers that lag can skip the older ones. It
 * keeps events beyond the retained window: a key that changes rarely is not lost because another
 * changes often.
 */
export class LatestByKey {
  private static readonly shared = new WeakMap<Channel, Map<LatestOnly['latest'], LatestByKey>>();
  /** The newest events by key, in the order of the log. */
  private readonly latest = new Map<string, LogEntry>();
  private bytes = 0;
  private seq: number;
  /** The number of an event after which none is missing here. */
  private completeAfter: number;
  private users = 0;

  private constructor(
    private readonly channel: Channel,
    private readonly key: LatestOnly['latest'],
  ) {
    this.seq = channel.log.head;
    this.completeAfter = this.seq;
  }

  /** Returns the one for this channel and function. Call `release` later. */
  static acquire(channel: Channel, key: LatestOnly['latest']): LatestByKey {
    let byKey = LatestByKey.shared.get(channel);
    if (!byKey) {
      LatestByKey.shared.set(channel, (byKey = new Map()));
    }
    let latest = byKey.get(key);
    if (!latest) {
      byKey.set(key, (latest = new LatestByKey(channel, key)));
    }
    latest.users++;
    return latest;
  }

  release(): void {
    if (--this.users === 0) {
      LatestByKey.shared.get(this.channel)?.delete(this.key);
    }
  }

  /** Notes what was appended since the last call. */
  pull(): void {
    const { log } = this.channel;
    if (this.seq < log.first - 1) {
      this.seq = log.first - 1;
      this.completeAfter = this.seq;
      this.latest.clear();
      this.bytes = 0;
    }
    while (this.seq < log.head) {
      this.note(log.at(++this.seq));
    }
  }

  /**
   * The newest events of all keys that changed after `seq`, in order; `undefined` when some are
   * missing.
   */
  after(seq: number): readonly LogEntry[] | undefined {
    this.pull();
    if (seq < this.completeAfter) {
      return undefined;
    }
    return [...this.latest.values()].filter((entry) => entry.seq > seq);
  }

  private note(entry: LogEntry): void {
    const key = this.keyOf(entry);
    this.forget(key);
    this.latest.set(key, entry);
    this.bytes += sizeOf(key, entry);
    while (this.latest.size > MAX_KEYS || this.bytes > MAX_BYTES) {
      const [oldest, { seq }] = this.latest.entries().next().value!;
      this.forget(oldest);
      this.completeAfter = seq;
    }
  }

  private forget(key: string): void {
    const entry = this.latest.get(key);
    if (entry) {
      this.latest.delete(key);
      this.bytes -= sizeOf(key, entry);
    }
  }

  /**
   * The key of an event. Resets, ends, and events that the function fails on have a key of their
   * own.
   */
  private keyOf(entry: LogEntry): string {
    if (!entry.end && entry.type !== RESET_TYPE) {
      const { key, channel } = this;
      try {
        const answer: unknown = atOnce(key(eventOf(channel.name, entry)));
        if (typeof answer === 'string' || typeof answer === 'number') {
          return `k${answer}`;
        }
      } catch {
        // The event replaces none and is delivered.
      }
    }
    return `s${entry.seq}`;
  }
}

function sizeOf(key: string, entry: LogEntry): number {
  return key.length + entry.size;
}
