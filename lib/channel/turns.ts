/** Lets a few calls run at a time. The others wait for their turn: first come, first served. */
export class Turns {
  private running = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly most: number) {}

  /** Runs the call once it is its turn. */
  async take<R>(call: () => Promise<R>): Promise<R> {
    if (this.running < this.most) {
      this.running++;
    } else {
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
    try {
      return await call();
    } finally {
      this.passOn();
    }
  }

  private passOn(): void {
    const [next] = this.waiting;
    if (next) {
      this.waiting.delete(next);
      next();
    } else {
      this.running--;
    }
  }
}
