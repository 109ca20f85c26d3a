import type { PollRate } from '../shared-polls.js';
import { rateText } from './wanted-keys.js';

/** How many keys one change tells of. */
const BATCH = 1_000;

/** A change of what an instance wants, with the number by which the next one is told from it. */
export interface Change {
  readonly number: number;
  readonly keys: readonly string[];
  /** The keys, each with its rate as text, which is empty for none. */
  readonly pairs: readonly string[];
}

/** The keys that this instance wants polled, and which of them Redis does not know yet. */
export class OwnWants {
  private readonly rates = new Map<string, string>();
  private readonly changed = new Set<string>();
  private changes = 0;

  get areKnown(): boolean {
    return this.changed.size === 0;
  }

  /** Returns whether that is a change. */
  set(key: string, rate: PollRate | undefined): boolean {
    const text = rate && rateText(rate);
    if (this.rates.get(key) === text) {
      return false;
    }
    if (text === undefined) {
      this.rates.delete(key);
    } else {
      this.rates.set(key, text);
    }
    this.changed.add(key);
    return true;
  }

  /** Redis knows nothing of this instance. */
  forgetAll(): void {
    this.rates.forEach((_, key) => this.changed.add(key));
  }

  /** What Redis is to be told next. */
  nextChange(): Change {
    const keys = [...this.changed].slice(0, BATCH);
    keys.forEach((key) => this.changed.delete(key));
    const pairs = keys.flatMap((key) => [key, this.rates.get(key) ?? '']);
    return { number: ++this.changes, keys, pairs };
  }

  /** It is not certain that Redis knows of the change. */
  tellAgain({ keys }: Change): void {
    keys.forEach((key) => this.changed.add(key));
  }
}
