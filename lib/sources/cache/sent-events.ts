import type { KeyEvent } from './key-store.js';

interface Sending {
  readonly event: KeyEvent;
  readonly done: () => void;
}

/** Events of `sendKey` that follow on a reading of their key, so that they keep their place. */
export class SentEvents {
  /** They follow on the next reading. */
  private queued: Sending[] = [];
  /** They follow on the reading that is under way. */
  private travelling: Sending[] = [];

  get size(): number {
    return this.queued.length + this.travelling.length;
  }

  /** Resolves once the event was taken out. */
  add(event: KeyEvent): Promise<void> {
    return new Promise((done) => this.queued.push({ event, done }));
  }

  /** The key is about to be read. */
  beginReading(): void {
    this.travelling.push(...this.queued);
    this.queued = [];
  }

  /** Hands over the events that follow on the reading that has ended. */
  endReading(publish: (event: KeyEvent) => void): boolean {
    return handOver(this.travelling.splice(0), publish);
  }

  /** Hands over all events. */
  takeAll(publish: (event: KeyEvent) => void): boolean {
    this.beginReading();
    return this.endReading(publish);
  }
}

/** Returns whether there were any. */
function handOver(sent: readonly Sending[], publish: (event: KeyEvent) => void): boolean {
  sent.forEach(({ event }) => publish(event));
  sent.forEach(({ done }) => done());
  return sent.length > 0;
}
