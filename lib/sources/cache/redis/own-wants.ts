import { rateText } from './wanted-keys.js';
import type { PollRate } from '../key-store.js';

/** The most keys of one change. */
const BATCH = 1_000;

/** A change of the keys that an instance wants. Changes are numbered, so that a missed one shows. */
export interface Change {
  readonly number: number;
  readonly keys: readonly string[];
  /** Each key and its rate as text; an empty text means that the key is no longer wanted. */
  readonly pairs: readonly string[];
}

/** The keys that this instance wants polled; some of them Redis does not know yet. */
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

  /** Puts all keys into the next changes, as Redis has no record of this instance. */
  forgetAll(): void {
    this.rates.forEach((_, key) => this.changed.add(key));
  }

  nextChange(): Change {
    const keys = [...this.changed].slice(0, BATCH);
    keys.forEach((key) => this.changed.delete(key));
    const pairs = keys.flatMap((key) => [key, this.rates.get(key) ?? '']);
    return { number: ++this.changes, keys, pairs };
  }

  /** Puts the keys of a change into the next one: its call has failed, so Redis may not know them. */
  tellAgain({ keys }: Change): void {
    keys.forEach((key) => this.changed.add(key));
  }
}
