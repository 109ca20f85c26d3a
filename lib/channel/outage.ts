import type { SseLogger } from './source.js';

/** A time in which something fails: logged once when it begins, and once when it is over. */
export class Outage {
  private isLasting = false;

  constructor(private readonly log: SseLogger) {}

  /** Whether it has begun and is not over. */
  get lasts(): boolean {
    return this.isLasting;
  }

  /** It fails: the first time, the operator is told. */
  begin(text: string): void {
    if (!this.isLasting) {
      this.isLasting = true;
      this.log.error(text);
    }
  }

  /** It works: if it has failed before, the operator is told. */
  end(text: string): void {
    if (this.isLasting) {
      this.isLasting = false;
      this.log.log(text);
    }
  }
}
