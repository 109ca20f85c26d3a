import { monotonicNow } from '../../channel/clock.js';

/** After an event the next look is this soon, in milliseconds; each look in vain doubles it. */
const SHORTEST = 20;

/** While events come without a pause, they are taken together this often, in milliseconds. */
const PACE = 2;
/** And this much more seldom for each event of the last look, in milliseconds. */
const PACE_PER_EVENT = 0.25;
/** But no more seldom than this, in milliseconds. */
const LONGEST_PACE = 10;

/** Says when to look at the table again: when woken, and at intervals. */
export class Wake {
  readonly #longest: number;
  readonly #signal: AbortSignal;
  #interval: number;
  /** When the last look that found events began. */
  #found = -Infinity;
  #pace = PACE;
  #looked = 0;
  #isDue = false;
  #end: (() => void) | undefined;

  /** @param longest the longest pause in milliseconds */
  constructor(longest: number, signal: AbortSignal) {
    this.#longest = longest;
    this.#interval = longest;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.now());
  }

  now(): void {
    this.#isDue = true;
    this.#end?.();
  }

  /** Forgets that it was woken: what follows is a look. */
  clear(): void {
    this.#isDue = false;
    this.#looked = monotonicNow();
  }

  /**
   * There were events, so that more are likely.
   *
   * @param events how many
   */
  hurry(events: number): void {
    this.#found = this.#looked;
    // Each look costs the server about what a commit costs it: in a rush, fewer are as good.
    this.#pace = Math.min(LONGEST_PACE, PACE + events * PACE_PER_EVENT);
    this.#interval = Math.min(SHORTEST, this.#longest);
  }

  /** Resolves when woken, or after the interval; and not sooner than the pace allows. */
  async rest(): Promise<void> {
    if (!this.#isDue) {
      await this.#sleep(this.#interval);
    }
    const early = this.#pace - (monotonicNow() - this.#found);
    if (early >= 1) {
      await this.pause(early);
    }
    this.#interval = Math.min(this.#interval * 2, this.#longest);
  }

  /** Resolves after a time, or when stopped; being woken does not shorten it. */
  async pause(ms: number): Promise<void> {
    const until = monotonicNow() + ms;
    for (let left = ms; left > 0 && !this.#signal.aborted; left = until - monotonicNow()) {
      await this.#sleep(left);
    }
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#end = undefined;
  }
}
