import type { Channel } from '../channel/channel.js';
import type { LogEntry } from '../channel/log-entry.js';
import { atOnce } from '../channel/at-once.js';
import { RESET_TYPE } from '../channel/reset-event.js';
import { eventOf } from './event-of.js';
import type { LatestOnly } from './overflow.js';

/** How many keys are remembered; of more, those that changed longest ago are forgotten. */
const MAX_KEYS = 10_000;
/** How many bytes their events take, in the same way. */
const MAX_BYTES = 8 * 1_048_576;

/**
 * The newest event of each key of a channel, for readers that lag and are to be spared what
 * has been replaced since. It outlives the retained window, so a key that changes rarely is
 * not lost to one that changes often.
 */
export class LatestByKey {
  private static readonly shared = new WeakMap<Channel, Map<LatestOnly['latest'], LatestByKey>>();
  /** In the order in which they were appended. */
  private readonly latest = new Map<string, LogEntry>();
  private bytes = 0;
  private seq: number;
  /** Nothing after this event is missing. */
  private completeAfter: number;
  private users = 0;

  private constructor(
    private readonly channel: Channel,
    private readonly key: LatestOnly['latest'],
  ) {
    this.seq = channel.log.head;
    this.completeAfter = this.seq;
  }

  /** The one for this channel and function; to be given back by `release`. */
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

  /** Notes what has been appended. Each reader calls it whenever it is woken. */
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
   * The newest event of each key among those after `seq`, in order; `undefined` when it is
   * not known for all of them.
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

  /** Resets and ends are replaced by nothing, and neither is what the function fails on. */
  private keyOf(entry: LogEntry): string {
    if (!entry.end && entry.type !== RESET_TYPE) {
      try {
        const key: unknown = atOnce(this.key(eventOf(this.channel.name, entry)));
        if (typeof key === 'string' || typeof key === 'number') {
          return `k${key}`;
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
