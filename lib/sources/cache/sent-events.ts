import type { KeyEvent } from './key-store.js';

interface Sending {
  readonly event: KeyEvent;
  readonly done: () => void;
}

/** Events of `sendKey` that follow on a reading of their key, so that they keep their place. */
export class SentEvents {
  private sendings: Sending[] = [];
  /** How many of them follow on the reading that is under way; the others, on the next one. */
  private travelling = 0;

  get size(): number {
    return this.sendings.length;
  }

  /** Resolves once the event was taken out. */
  add(event: KeyEvent): Promise<void> {
    return new Promise((done) => this.sendings.push({ event, done }));
  }

  /** The key is about to be read. */
  beginReading(): void {
    this.travelling = this.sendings.length;
  }

  /**
   * Hands over the events that follow on the reading that has ended.
   * @returns whether there were any
   */
  endReading(publish: (event: KeyEvent) => void): boolean {
    const sent = this.sendings.splice(0, this.travelling);
    this.travelling = 0;
    sent.forEach(({ event }) => publish(event));
    sent.forEach(({ done }) => done());
    return sent.length > 0;
  }

  /** Hands over all events. */
  takeAll(publish: (event: KeyEvent) => void): void {
    this.beginReading();
    this.endReading(publish);
  }
}
