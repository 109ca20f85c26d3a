import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import type { GatheredLog } from '../../channel/gathered-log.js';
import { Outage } from '../../channel/outage.js';
import { reasonOf } from '../../channel/reason.js';
import type { SseLogger } from '../../channel/source.js';
import type { KeyReading } from './key-store.js';

const RETRY = { first: 100, most: 5_000 };

/** Logs each failure of a store once, and determines the next attempt. */
export class PollOutage {
  /** When to try failed keys again, on the clock of `monotonicNow()`. */
  retryAt = 0;
  private attempts = 0;
  private readonly outage: Outage;
  /** The owner of the connection has logged the outage, and will log its end. */
  private isReported = false;
  private readonly refused = new WeakSet<object>();

  /** @param keyLog for what happens to keys, often to many at once */
  constructor(
    logger: SseLogger,
    private readonly keyLog: GatheredLog,
  ) {
    this.outage = new Outage(logger, 'cache');
  }

  /** For how long the store fails, in milliseconds; `undefined` when it does not. */
  get lastsFor(): number | undefined {
    return this.outage.lastsFor;
  }

  /** Notes a failure of the store. */
  failed({ failure, reported }: KeyReading): void {
    const now = monotonicNow();
    // Keys that fail meanwhile wait for the same attempt and do not delay it.
    if (now >= this.retryAt) {
      this.retryAt = Math.ceil(now + backoff(this.attempts++, RETRY));
    }
    this.isReported ||= reported === true && !this.outage.lasts;
    if (!this.isReported) {
      this.outage.begin(
        `Keys cannot be read: ${reasonOf(failure)}. Their streams stay open; reading is retried.`,
      );
    }
  }

  /** Tries again at once, as the store may be back. */
  retryNow(): void {
    this.attempts = 0;
    this.retryAt = 0;
  }

  /** Ends the outage, as all keys could be read. */
  over(): void {
    this.outage.end('Keys can be read again.');
    this.isReported = false;
    this.retryNow();
  }

  /**
   * Logs once that a key cannot be read, and once that it can be again. A polled key is the same
   * object for as long as it is polled.
   */
  noteRefusal(polled: { readonly key: string }, { refused, failure }: KeyReading): void {
    if (failure !== undefined) {
      // The store failed, which says nothing about the value.
      return;
    }
    const key = JSON.stringify(polled.key);
    if (refused === undefined) {
      if (this.refused.delete(polled)) {
        this.keyLog.note(key, {
          level: 'log',
          cause: 'readable',
          line: `The key ${key} can be read again.`,
          several: (count, keys) => `${count} keys can be read again: ${keys}.`,
        });
      }
    } else if (!this.refused.has(polled)) {
      this.refused.add(polled);
      this.keyLog.note(key, {
        level: 'error',
        cause: refused,
        line: `The key ${key} cannot be read: ${refused}. Its streams stay open; delete or replace the value.`,
        several: (count, keys) =>
          `${count} keys cannot be read, ${keys}: ${refused}. Their streams stay open; delete or replace the values.`,
      });
    }
  }
}
