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
   * The one rule for methods that return a promise: they never throw, as a timer that calls them
   * would end the process, and they handle the rejection, as a caller that does not wait would end
   * it as well. An outage is one line, a mistake of the caller one each.
   */
  follow<R>(call: () => Promise<R>): Promise<R> {
    let result: Promise<R>;
    try {
      // A broker of the application's may return what is no promise.
      result = Promise.resolve(call());
    } catch (error) {
      result = Promise.reject(error);
    }
    result.then(this.onTaken, this.onRefused);
    return result;
  }

  private readonly onTaken = (): void => {
    this.outage.end('What is sent is accepted again.');
  };

  private readonly onRefused = (error: unknown): void => {
    if (isReported(error)) {
      return;
    }
    const text = `What was sent was not accepted: ${reasonOf(error)}`;
    if (error instanceof SseError && error.code === 'UNAVAILABLE') {
      this.outage.begin(text);
    } else {
      this.mistakes.error(text);
    }
  };
}
