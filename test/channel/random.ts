/** Random numbers that a seed repeats: mulberry32. */
export class Random {
  constructor(private state: number) {}

  /** From 0 to below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /**
   * Gives the cards of a deck one after the other, in random order, and then of a deck shuffled
   * anew: how often each comes is no matter of luck.
   */
  deck<Card>(cards: readonly Card[]): () => Card {
    const left: Card[] = [];
    return () => {
      if (left.length === 0) left.push(...cards);
      return left.splice(this.below(left.length), 1)[0]!;
    };
  }
}
