import type { KeyEvent } from './key-store.js';

/**
 * What a watched key holds, as its readers know it. A look that overlaps a write may bring the
 * value from before, so it tells nothing.
 */
export class WatchedValue {
  /** What the readers were given last; unset when the key has gone since. */
  present: KeyEvent | undefined;
  /** Counts the writes that have ended. */
  private writes = 0;
  private writing = 0;
  private writesAtBegin = -1;

  /** Runs what writes the key. */
  async write(write: () => Promise<void>): Promise<void> {
    this.writing++;
    try {
      await write();
    } finally {
      this.writing--;
      this.writes++;
    }
  }

  beginLook(): void {
    this.writesAtBegin = this.writing > 0 ? -1 : this.writes;
  }

  /**
   * Takes over what the look that was begun last has found.
   * @returns what the readers do not know yet
   */
  endLook(value: string | undefined): KeyEvent | undefined {
    if (this.writing > 0 || this.writesAtBegin !== this.writes || this.present?.data === value) {
      return undefined;
    }
    this.present = value === undefined ? undefined : { data: value };
    return this.present;
  }
}
