import { LimitedLog } from './limited-log.js';
import { Outage } from './outage.js';
import { reasonOf } from './reason.js';
import { isReported } from './reported.js';
import type { SseLogger } from './source.js';
import { SseError } from './sse-error.js';

/** Logs outages of one system and mistakes of those who send to it. */
export class SendReport {
  private readonly outage: Outage;

  /**
   * @param log takes the outages of the system
   * @param mistakes takes the mistakes of callers; limited, as they may be many
   */
  constructor(
    log: SseLogger,
    private readonly mistakes: SseLogger,
  ) {
    // If one channel fails and another works, the outage begins and ends with every event.
    this.outage = new Outage(new LimitedLog(log));
  }

  /**
   * Calls a method that sends, and logs its failure: once per outage, and once per mistake. The
   * promise never throws into a timer, and its rejection is handled: a caller need not await it.
   */
  follow<R>(call: () => Promise<R>): Promise<R> {
    let result: Promise<R>;
    try {
      // A broker of the application may return something else than a promise.
      result = Promise.resolve(call());
    } catch (error) {
      result = Promise.reject(error);
    }
    result.then(this.onTaken, this.onRefused);
    return result;
  }

  private readonly onTaken = (): void => {
    this.outage.end('Sending works again.');
  };

  private readonly onRefused = (error: unknown): void => {
    if (isReported(error)) {
      return;
    }
    const text = `An event was not accepted: ${reasonOf(error)}`;
    if (error instanceof SseError && error.code === 'UNAVAILABLE') {
      this.outage.begin(text);
    } else {
      this.mistakes.error(text);
    }
  };
}
