import { LimitedLog } from './limited-log.js';
import { reasonOf, stackOf } from './reason.js';
import type { SseLogger } from './source.js';

/**
 * Runs code whose errors no caller can catch: users' functions, and callbacks of RxJS, timers and
 * sockets. The guard logs these errors, which would otherwise end the process.
 */
export class Guard {
  private readonly log: SseLogger;

  constructor(log: SseLogger) {
    this.log = new LimitedLog(log);
  }

  /**
   * Runs `code` and returns its result; `undefined` when it throws. A promise is returned
   * unchanged, and its rejection logged.
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

  /** Logs an error that was caught elsewhere. */
  report(what: string, error: unknown): void {
    this.log.error(`${what} failed: ${reasonOf(error)}`, stackOf(error));
  }
}
