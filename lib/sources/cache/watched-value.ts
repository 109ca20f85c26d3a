import type { KeyEvent, KeyReading, KnownValue } from './key-store.js';

/**
 * The value of a watched key, as its readers know it. It ignores a look that overlaps a write, as the
 * look may have found the older value.
 */
export class WatchedValue {
  private given: KeyEvent | undefined;
  private isSendable = true;
  /** The store's note of the value. */
  known: KnownValue | undefined;
  private tooLarge: number | undefined;
  /** Counts the writes that have ended. */
  private writes = 0;
  private writing = 0;
  private writesAtBegin = -1;

  /** The value that readers have, and that a new reader gets first; unset when the key is gone. */
  get present(): KeyEvent | undefined {
    return this.isSendable ? this.given : undefined;
  }

  async write(write: () => Promise<void>): Promise<void> {
    this.writing++;
    try {
      await write();
    } finally {
      this.writing--;
      this.writes++;
    }
  }

  /**
   * Notes the event that readers have received.
   *
   * @param isSendable false when the event could not be sent to them
   * @param known the store's note of the value
   */
  note(event: KeyEvent | undefined, isSendable = true, known?: KnownValue): void {
    this.given = event;
    this.isSendable = isSendable;
    this.known = known;
    this.tooLarge = undefined;
  }

  beginLook(): void {
    this.writesAtBegin = this.writing > 0 ? -1 : this.writes;
  }

  /**
   * Takes over the reading of the look that began last.
   * @returns a value that is new to readers; for one that is too large, its number of bytes
   */
  endLook({ value, unchanged, known, tooLarge }: KeyReading): KeyEvent | number | undefined {
    if (this.writing > 0 || this.writesAtBegin !== this.writes || unchanged) {
      return undefined;
    }
    if (tooLarge !== undefined) {
      const isNews = tooLarge !== this.tooLarge;
      this.note(undefined);
      this.tooLarge = tooLarge;
      return isNews ? tooLarge : undefined;
    }
    if (value === undefined || value === this.given?.data) {
      this.note(value === undefined ? undefined : this.given, this.isSendable, known);
      return undefined;
    }
    return { data: value };
  }
}
