import { randomBytes } from 'node:crypto';

/** The positions that a log gives to events whose source has none. */
export class LocalPositions {
  /** Distinguishes this log's positions from those of earlier logs and of other processes. */
  readonly epoch = randomBytes(6).toString('base64url').replaceAll('-', '.');

  of(seq: number): string {
    return `${this.epoch}-${seq}`;
  }

  /** The number of the event at a position; `undefined` for a position of another log. */
  numberOf(position: string): number | undefined {
    const seq = Number(position.slice(this.epoch.length + 1));
    return Number.isSafeInteger(seq) && seq >= 0 && position === this.of(seq) ? seq : undefined;
  }
}
