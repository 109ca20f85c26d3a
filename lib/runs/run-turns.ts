/** What calls the store at the end of the turn. */
interface Waiting {
  flush(): void;
}

/**
 * Makes all calls of the store that append, so that those of a turn come one right after the other, and the
 * store can gather them without a turn of its own.
 */
export class RunTurns {
  private readonly waiting = new Set<Waiting>();

  add(run: Waiting): void {
    if (this.waiting.size === 0) {
      setImmediate(this.flush);
    }
    this.waiting.add(run);
  }

  private readonly flush = (): void => {
    const due = [...this.waiting];
    this.waiting.clear();
    due.forEach((run) => run.flush());
  };
}
