import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import { SseError } from '../../channel/sse-error.js';

/** The pause between two looks at a key, in milliseconds. */
const PAUSE = { first: 5, most: 200 };
/** How long an event waits for the transaction that holds its key, in milliseconds. */
const WAIT_MS = 10_000;

/**
 * Waits for transactions that have sent an event with an idempotency key, and have not ended: until then nobody
 * knows whether the event is there. No statement waits, as other events stand behind it.
 */
export class KeyHolders {
  private readonly stopped = new AbortController();

  constructor() {
    // Each event that waits listens.
    setMaxListeners(0, this.stopped.signal);
  }

  /**
   * Attempts to publish until no other transaction holds the key.
   * @param attempt resolves with `undefined` while one does
   * @throws SseError `UNAVAILABLE` when one holds it for too long, `CLOSED`
   */
  async waitFor<T>(key: string, attempt: () => Promise<T | undefined>): Promise<T> {
    const { signal } = this.stopped;
    const end = monotonicNow() + WAIT_MS;
    for (let failed = 0; ; failed++) {
      const outcome = await attempt();
      if (outcome !== undefined) {
        return outcome;
      }
      if (monotonicNow() > end) {
        throw new SseError(
          'UNAVAILABLE',
          `An open transaction has sent an event with the idempotency key ${JSON.stringify(key)}, and has not ended ` +
            `within ${WAIT_MS} ms. Send the event again once it has.`,
        );
      }
      await sleep(backoff(failed, PAUSE), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) {
        throw shuttingDown();
      }
    }
  }

  stop(): void {
    this.stopped.abort();
  }
}
