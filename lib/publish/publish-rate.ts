import { HttpStatus } from '@nestjs/common';
import { monotonicNow } from '../channel/clock.js';
import { SseError } from '../channel/sse-error.js';
import { Refusal } from './publish-answer.js';

const MINUTE_MS = 60_000;

/** What a caller has left, and when that was counted. */
interface Bucket {
  left: number;
  at: number;
}

/**
 * Counts the events of each caller. What one may publish in a minute comes back evenly, so that
 * nobody waits for the next minute to begin.
 */
export class PublishRate {
  private readonly buckets = new Map<string, Bucket>();
  private sweptAt = monotonicNow();

  /** @param perMinute the most events of one caller; `Infinity` for no limit */
  constructor(private readonly perMinute: number) {}

  /**
   * Takes a number of events from what a caller may publish.
   * @throws Refusal 429 with the time when there is enough, 413 for more than there ever is
   */
  take(caller: string, events: number): void {
    const { perMinute } = this;
    if (!this.isLimited) {
      return;
    }
    if (events > perMinute) {
      throw new Refusal(
        HttpStatus.PAYLOAD_TOO_LARGE,
        limitReached(`The request has ${events} events, and ${this.limit}. Send fewer at once.`),
      );
    }
    const now = monotonicNow();
    this.sweep(now);
    const bucket = this.buckets.get(caller) ?? { left: perMinute, at: now };
    const left = Math.min(perMinute, bucket.left + ((now - bucket.at) * perMinute) / MINUTE_MS);
    const missing = events - left;
    this.buckets.set(caller, { left: missing > 0 ? left : -missing, at: now });
    if (missing > 0) {
      const seconds = Math.ceil((missing * MINUTE_MS) / perMinute / 1_000);
      throw new Refusal(
        HttpStatus.TOO_MANY_REQUESTS,
        limitReached(`${capitalised(this.limit)}. Try again in ${seconds} s.`),
        seconds,
      );
    }
  }

  get isLimited(): boolean {
    return this.perMinute !== Infinity;
  }

  private get limit(): string {
    return `this caller may publish ${this.perMinute} events a minute`;
  }

  /** Forgets those who have everything back. */
  private sweep(now: number): void {
    if (now - this.sweptAt >= MINUTE_MS) {
      this.sweptAt = now;
      for (const [caller, { at }] of this.buckets) {
        if (now - at >= MINUTE_MS) {
          this.buckets.delete(caller);
        }
      }
    }
  }
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function limitReached(message: string): SseError {
  return new SseError('LIMIT_REACHED', message);
}
