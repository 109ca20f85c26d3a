import { preciseNow } from './clock.js';
import { LimitedLog } from './limited-log.js';
import { Outage } from './outage.js';
import { reasonOf } from './reason.js';
import { isReported } from './reported.js';
import type { SseLogger } from './source.js';
import { SseError } from './sse-error.js';

/** Takes how long calls took, in milliseconds. */
export interface CallTimes {
  accepted(ms: number): void;
  rejected(ms: number, error: unknown): void;
}

/**
 * Logs why sends to one system fail: the outages of the system, one line each, and the mistakes of the
 * application's calls. So a caller who does not await `send()` misses nothing that an operator needs.
 */
export class SendReport {
  private readonly outage: Outage;

  /**
   * @param log takes the outages of the system
   * @param mistakes takes the callers' mistakes, such as an event without data; limited, as they may be
   * many
   * @param what the subject of the lines
   */
  constructor(
    log: SseLogger,
    private readonly mistakes: SseLogger,
    private readonly what = 'An event',
  ) {
    // If one channel fails and another works, the outage begins and ends with every event.
    this.outage = new Outage(new LimitedLog(log), 'publish');
  }

  /**
   * Calls a method that sends, and logs its failure: once per outage, and once per mistake. The
   * promise never throws into a timer, and its rejection is handled: a caller need not await it.
   *
   * @param times is told how long the call took
   */
  follow<R>(call: () => Promise<R>, times?: CallTimes): Promise<R> {
    const began = times ? preciseNow() : 0;
    let result: Promise<R>;
    try {
      // A broker of the application may return something else than a promise.
      result = Promise.resolve(call());
    } catch (error) {
      result = Promise.reject(error);
    }
    if (times) {
      result.then(
        () => {
          this.onAccepted();
          times.accepted(preciseNow() - began);
        },
        (error: unknown) => {
          this.onRejected(error);
          times.rejected(preciseNow() - began, error);
        },
      );
    } else {
      result.then(this.onAccepted, this.onRejected);
    }
    return result;
  }

  private readonly onAccepted = (): void => {
    this.outage.end('Sending works again.');
  };

  private readonly onRejected = (error: unknown): void => {
    const code = error instanceof SseError ? error.code : undefined;
    // That a channel has a run is an answer, which the caller of `run()` needs.
    if (isReported(error) || code === 'RUN_ACTIVE') {
      return;
    }
    const text = `${this.what} was not accepted: ${reasonOf(error)}`;
    if (code === 'UNAVAILABLE') {
      this.outage.begin(text);
    } else {
      this.mistakes.error(text);
    }
  };
}
