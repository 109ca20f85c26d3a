import type { KeyEvent } from './key-store.js';

interface Sending {
  readonly event: KeyEvent;
  readonly done: () => void;
}

/** Events of `sendKey` that wait for a reading of their key, so that they come behind its values. */
export class SentEvents {
  private sendings: Sending[] = [];
  /** The number of events for the reading under way; the others wait for the next one. */
  private travelling = 0;

  get size(): number {
    return this.sendings.length;
  }

  /** Resolves once the event has been handed over. */
  add(event: KeyEvent): Promise<void> {
    return new Promise((done) => this.sendings.push({ event, done }));
  }

  /** Called before the key is read. */
  beginReading(): void {
    this.travelling = this.sendings.length;
  }

  /**
   * Hands over the events for the reading that has ended.
   * @returns whether there were any
   */
  endReading(publish: (event: KeyEvent) => void): boolean {
    const sent = this.sendings.splice(0, this.travelling);
    this.travelling = 0;
    sent.forEach(({ event }) => publish(event));
    sent.forEach(({ done }) => done());
    return sent.length > 0;
  }

  takeAll(publish: (event: KeyEvent) => void): void {
    this.beginReading();
    this.endReading(publish);
  }
}
