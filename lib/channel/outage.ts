import type { SseLogger } from './source.js';

/** A time in which a system fails. Logs one line when it begins and one when it ends. */
export class Outage {
  private isLasting = false;

  constructor(private readonly log: SseLogger) {}

  get lasts(): boolean {
    return this.isLasting;
  }

  /** Begins the outage, and logs `text` unless it had begun before. */
  begin(text: string): void {
    if (!this.isLasting) {
      this.isLasting = true;
      this.log.error(text);
    }
  }

  /** Ends the outage, and logs `text` if there was one. */
  end(text: string): void {
    if (this.isLasting) {
      this.isLasting = false;
      this.log.log(text);
    }
  }
}
