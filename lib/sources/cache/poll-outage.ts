import type { SseLogger } from '../../channel/source.js';
import type { KeyReading } from './key-store.js';

/** The longest wait before a store that failed is tried again, in milliseconds. */
const MAX_RETRY_MS = 5_000;

/** What an operator reads of a store's troubles, each once, and when to try again. */
export class PollOutage {
  /** When what failed is to be tried again, on the clock of `performance.now()`. */
  retryAt = 0;
  private attempts = 0;
  private state: 'none' | 'logged' | 'reported' = 'none';
  private readonly refused = new WeakSet<object>();

  constructor(private readonly logger: SseLogger) {}

  /** The store failed: the waits are 100 ms, 200 ms, 400 ms … 5 s, shortened at random. */
  failed({ failure, reported }: KeyReading): void {
    const now = performance.now();
    // Keys that fail meanwhile wait for the same attempt and do not put it off.
    if (now >= this.retryAt) {
      const longest = Math.min(MAX_RETRY_MS, 100 * 2 ** Math.min(this.attempts++, 10));
      this.retryAt = Math.ceil(now + longest * (0.5 + Math.random() / 2));
    }
    if (this.state !== 'none') {
      return;
    }
    this.state = reported ? 'reported' : 'logged';
    if (!reported) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      this.logger.error(
        `Keys cannot be read: ${reason}. Their streams stay open; reading is retried.`,
      );
    }
  }

  /** The store is said to be back. */
  retryNow(): void {
    this.attempts = 0;
    this.retryAt = 0;
  }

  /** Everything could be read. */
  over(): void {
    if (this.state === 'logged') {
      this.logger.log('Keys can be read again.');
    }
    this.state = 'none';
    this.retryNow();
  }

  /** Why one key, an object of its own for as long as it is polled, cannot be read. */
  noteRefusal(polled: { readonly key: string }, refused: string | undefined): void {
    if (refused === undefined) {
      this.refused.delete(polled);
    } else if (!this.refused.has(polled)) {
      this.refused.add(polled);
      this.logger.error(
        `The key ${JSON.stringify(polled.key)} cannot be read: ${refused}. Its streams stay ` +
          'open; delete or replace the value.',
      );
    }
  }
}
