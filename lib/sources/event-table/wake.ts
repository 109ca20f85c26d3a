import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import { WakeableSleep } from '../postgres/wakeable-sleep.js';

/** The pause after a look that found events, in milliseconds; each look in vain doubles it. */
const SHORTEST_MS = 20;

/** While events come without a pause, the reader takes them together this often, in milliseconds. */
const PACE_MS = 2;
/** How much longer the reader waits for each event of the last look, in milliseconds. */
const PACE_PER_EVENT_MS = 0.25;
/** The longest that it waits for the events of a look, in milliseconds. */
const LONGEST_PACE_MS = 10;

/** Determines the next look at the table: when woken, and at intervals. */
export class Wake {
  private readonly pause = new WakeableSleep();
  private interval: number;
  /** When the last look that found events began. */
  private found = -Infinity;
  private pace = PACE_MS;
  private looked = 0;

  /** @param longest the longest pause in milliseconds */
  constructor(private readonly longest: number) {
    this.interval = longest;
  }

  now(): void {
    this.pause.wake();
  }

  /** Called when a look begins, which finds the reason of every wake until now. */
  clear(): void {
    this.pause.forget();
    this.looked = monotonicNow();
  }

  /**
   * Called after a look that found events, so that more are likely.
   *
   * @param events their number
   */
  hurry(events: number): void {
    this.found = this.looked;
    // Each look costs the server about what a commit costs it: in a rush, fewer are as good.
    this.pace = Math.min(LONGEST_PACE_MS, PACE_MS + events * PACE_PER_EVENT_MS);
    this.interval = Math.min(SHORTEST_MS, this.longest);
  }

  /** Resolves when woken, or after the interval; and not sooner than the pace allows. */
  async rest(): Promise<void> {
    await this.pause.sleep(this.interval);
    const early = this.pace - (monotonicNow() - this.found);
    if (early >= 1) {
      await sleep(early);
    }
    this.interval = Math.min(this.interval * 2, this.longest);
  }
}
