/** Limits how many calls run at the same time. The others wait: first come, first served. */
export class Turns {
  private running = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly most: number) {}

  /**
   * Runs the call as soon as fewer than the limit run.
   *
   * @param signal aborts when the call is not needed any more
   * @throws the reason of the signal, if the call has not begun by then
   */
  async take<R>(call: () => Promise<R>, signal?: AbortSignal): Promise<R> {
    signal?.throwIfAborted();
    if (this.running < this.most) {
      this.running++;
    } else {
      await this.turn(signal);
    }
    try {
      signal?.throwIfAborted();
      return await call();
    } finally {
      this.passOn();
    }
  }

  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting.delete(goOn);
        reject(signal!.reason as Error);
      };
      const goOn = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.waiting.add(goOn);
      signal?.addEventListener('abort', leave);
    });
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
