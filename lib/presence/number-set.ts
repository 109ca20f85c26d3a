/** Numbers to a word. */
const BITS = 32;

/** A set of whole numbers from 0 on. Numbers that follow each other take a bit each. */
export class NumberSet {
  private readonly words = new Map<number, number>();

  add(number: number): void {
    const at = Math.floor(number / BITS);
    this.words.set(at, (this.words.get(at) ?? 0) | (1 << (number % BITS)));
  }

  /** Returns whether the number was there. */
  delete(number: number): boolean {
    const at = Math.floor(number / BITS);
    const word = this.words.get(at) ?? 0;
    const bit = 1 << (number % BITS);
    if ((word & bit) === 0) {
      return false;
    }
    if (word === bit) {
      this.words.delete(at);
    } else {
      this.words.set(at, word & ~bit);
    }
    return true;
  }
}
