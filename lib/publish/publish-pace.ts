/**
 * Spreads the events of requests that come together over turns of the event loop: each turn takes about as many
 * as one request may have checked and sent at once.
 */
export class PublishPace {
  private left: number;
  private isTicking = false;
  private readonly waiting: { readonly events: number; readonly goOn: () => void }[] = [];

  /** @param perTurn after how many events a turn takes no more */
  constructor(private readonly perTurn: number) {
    this.left = perTurn;
  }

  /** Takes room for events: returns `undefined` if this turn has some left; else a promise of a turn that has. */
  enter(events: number): Promise<void> | undefined {
    if (!this.isTicking) {
      this.isTicking = true;
      setImmediate(this.onTurn);
    }
    if (this.left > 0 && this.waiting.length === 0) {
      this.left -= events;
      return undefined;
    }
    return new Promise((goOn) => this.waiting.push({ events, goOn }));
  }

  private readonly onTurn = (): void => {
    this.left = this.perTurn;
    this.isTicking = this.waiting.length > 0;
    if (this.isTicking) {
      setImmediate(this.onTurn);
    }
    while (this.left > 0 && this.waiting.length > 0) {
      const { events, goOn } = this.waiting.shift()!;
      this.left -= events;
      goOn();
    }
  };
}
