/** A run with chunks that wait for the end of the turn. */
interface Waiting {
  flush(): void;
}

/** Lets the chunks of a turn of all runs reach the store together, so that it can gather them. */
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
