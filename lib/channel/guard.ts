import { LimitedLog } from './limited-log.js';
import { reasonOf, stackOf } from './reason.js';
import type { SseLogger } from './source.js';

/**
 * The one way to run code that may throw where nobody could catch it: users' functions, and
 * callbacks of RxJS, timers and sockets. What it throws is logged and goes no further, as it
 * would otherwise end the process.
 */
export class Guard {
  private readonly log: SseLogger;

  constructor(log: SseLogger) {
    this.log = new LimitedLog(log);
  }

  /**
   * Runs `code`, and gives what it returns; `undefined` when it throws. A promise is returned as
   * it is, and logged when it rejects.
   *
   * @param what the subject of the log line, such as "The teardown of a handler's Observable"
   */
  run<R>(what: string, code: () => R): R | undefined {
    try {
      const result = code();
      if (result instanceof Promise) {
        result.catch((error: unknown) => this.report(what, error));
      }
      return result;
    } catch (error) {
      this.report(what, error);
      return undefined;
    }
  }

  /** A callback that runs `code` guarded. */
  wrap<A extends unknown[]>(what: string, code: (...args: A) => unknown): (...args: A) => void {
    return (...args) => void this.run(what, () => code(...args));
  }

  /** Logs what was caught elsewhere. */
  report(what: string, error: unknown): void {
    this.log.error(`${what} failed: ${reasonOf(error)}`, stackOf(error));
  }
}
