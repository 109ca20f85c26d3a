import { monotonicNow } from '../channel/clock.js';
import type { CountedAs } from './client.js';
import type { ConnectionFilter } from './connection-filter.js';

/** The revocations of one target, as they concern requests. Times are of `monotonicNow()`. */
export interface Noted {
  /** When the last of them was decided. */
  readonly time: number;
  readonly blockedUntil: number;
}

/** For how long a revocation is remembered, for requests whose handler still works. */
const REMEMBERED_MS = 600_000;
/** The number of targets at which we first look for those that can be forgotten. */
const FIRST_SWEEP = 1_024;

/** Remembers whose connections have ended, for requests that come later or are at work. */
export class NotedRevocations {
  /** By the key of their target: a request looks up its own, however many there are. */
  private readonly noted = new Map<string, Noted>();
  private sweepAt = FIRST_SWEEP;
  /** Requests that began before this may miss a revocation that was forgotten. */
  forgotten = -Infinity;

  get areNone(): boolean {
    return this.noted.size === 0;
  }

  *for(counted: CountedAs, channels: readonly string[]): Iterable<Noted> {
    const clients = typeof counted === 'string' ? [undefined] : [undefined, counted.id];
    for (const client of clients) {
      for (const channel of [undefined, ...channels]) {
        const noted = this.noted.get(keyOf({ client, channel }));
        if (noted) {
          yield noted;
        }
      }
    }
  }

  add(target: ConnectionFilter, { time, blockedUntil }: Noted): void {
    const key = keyOf(target);
    const earlier = this.noted.get(key) ?? { time, blockedUntil };
    this.noted.set(key, {
      time: Math.max(time, earlier.time),
      blockedUntil: Math.max(blockedUntil, earlier.blockedUntil),
    });
    if (this.noted.size >= this.sweepAt) {
      this.sweep();
    }
  }

  private sweep(): void {
    const now = monotonicNow();
    for (const [key, { time, blockedUntil }] of this.noted) {
      if (now >= blockedUntil && now - time > REMEMBERED_MS) {
        this.noted.delete(key);
        this.forgotten = Math.max(this.forgotten, time);
      }
    }
    // Looking again only at twice as many keeps the cost of each constant.
    this.sweepAt = Math.max(FIRST_SWEEP, this.noted.size * 2);
  }
}

/** The key of the clients of a filter, in the channel of a filter. */
function keyOf({ client, channel }: ConnectionFilter): string {
  return JSON.stringify([client, channel]);
}
