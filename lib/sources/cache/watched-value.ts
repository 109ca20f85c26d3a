import type { KeyEvent, KeyReading, KnownValue } from './key-store.js';

/**
 * What a watched key holds, as its readers know it. A look that overlaps a write may bring the
 * value from before, so it tells nothing.
 */
export class WatchedValue {
  private given: KeyEvent | undefined;
  private isSendable = true;
  private knownBy: KnownValue | undefined;
  private tooLarge: number | undefined;
  /** Counts the writes that have ended. */
  private writes = 0;
  private writing = 0;
  private writesAtBegin = -1;

  /** What readers were given last, and new ones are to be given; unset when the key has gone since. */
  get present(): KeyEvent | undefined {
    return this.isSendable ? this.given : undefined;
  }

  /** What the store can know the value by. */
  get known(): KnownValue | undefined {
    return this.knownBy;
  }

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

  /**
   * Readers were given an event.
   *
   * @param isSendable false when it could not be sent to them
   * @param known what the store can know the value by
   */
  note(event: KeyEvent | undefined, isSendable = true, known?: KnownValue): void {
    this.given = event;
    this.isSendable = isSendable;
    this.knownBy = known;
    this.tooLarge = undefined;
  }

  beginLook(): void {
    this.writesAtBegin = this.writing > 0 ? -1 : this.writes;
  }

  /**
   * Takes over what the look that was begun last has found.
   * @returns what the readers do not know yet; a number when that is too large, with so many bytes
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
