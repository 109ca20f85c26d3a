/** Thrown to stop work on a request that has been answered, or whose client has left. */
export class RequestGone extends Error {
  constructor() {
    super('The request has been answered, or its client has left.');
  }
}

/** The time for which a client waits for its answer. Nobody waits for work any longer than that. */
export class Stay {
  private isOver = false;
  /** Stop the waits that have not ended. */
  private readonly waiting = new Set<() => void>();

  /**
   * Waits for work.
   *
   * @param late takes a rejection of the work that comes after the client has left
   * @throws RequestGone when the client leaves first; and the work's own rejection
   */
  await<T>(work: Promise<T>, late?: (error: unknown) => void): Promise<T> {
    // Promise.race() costs several times as much, and every stream that opens waits at least once.
    return new Promise((resolve, reject) => {
      let isStopped = false;
      const stop = (): void => {
        isStopped = true;
        reject(new RequestGone());
      };
      if (this.isOver) {
        stop();
      } else {
        this.waiting.add(stop);
      }
      work.then(
        (result) => {
          this.waiting.delete(stop);
          resolve(result);
        },
        (error: unknown) => {
          this.waiting.delete(stop);
          if (isStopped) {
            late?.(error);
          } else {
            reject(error as Error);
          }
        },
      );
    });
  }

  /** Ends every wait, and those to come. */
  readonly end = (): void => {
    this.isOver = true;
    this.waiting.forEach((stop) => stop());
    this.waiting.clear();
  };
}
