/** Limits how many calls run at the same time. The others wait: first come, first served. */
export class Turns {
  private running = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly most: number) {}

  /** Runs the call as soon as fewer than the limit run. */
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
