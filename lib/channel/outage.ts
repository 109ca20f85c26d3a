import { monotonicNow } from './clock.js';
import type { SseLogger } from './source.js';

/** A time in which a system fails. Logs one line when it begins and one when it ends. */
export class Outage {
  private since: number | undefined;

  constructor(private readonly log: SseLogger) {}

  get lasts(): boolean {
    return this.since !== undefined;
  }

  /** For how long it lasts, in milliseconds; `undefined` when there is none. */
  get lastsFor(): number | undefined {
    return this.since === undefined ? undefined : monotonicNow() - this.since;
  }

  /** Begins the outage, and logs `text` unless it had begun before. */
  begin(text: string): void {
    if (this.since === undefined) {
      this.since = monotonicNow();
      this.log.error(text);
    }
  }

  /** Ends the outage, and logs `text` if there was one. */
  end(text: string): void {
    if (this.since !== undefined) {
      this.since = undefined;
      this.log.log(text);
    }
  }
}
