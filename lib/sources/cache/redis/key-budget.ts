import { monotonicNow } from '../../../channel/clock.js';

/*
 * While a script runs, Redis serves nobody else. So a call stops when it has used up any of these
 * budgets, and the next call goes on from there.
 */

/** How many values one call takes from a key. */
export const CALL_VALUES = 1_000;
/** About how many bytes, unless one value has more. */
export const CALL_BYTES = 262_144;
/** About how many microseconds. */
export const CALL_MICROS = 5_000;

/** How many bytes Redis makes digests of for us, in a second: about 4 % of its one core. */
const DIGEST_BYTES_PER_S = 8 * 1_048_576;

/** Limits how many bytes Redis makes digests of. */
export class DigestBudget {
  private left = DIGEST_BYTES_PER_S;
  private at = monotonicNow();

  /** Whether there is budget left for a value; if so, it is spent. */
  spend(bytes: number): boolean {
    const now = monotonicNow();
    this.left = Math.min(
      DIGEST_BYTES_PER_S,
      this.left + ((now - this.at) / 1_000) * DIGEST_BYTES_PER_S,
    );
    this.at = now;
    if (this.left <= 0) {
      return false;
    }
    // One large value may overdraw it; the next ones wait for that.
    this.left -= bytes;
    return true;
  }
}
