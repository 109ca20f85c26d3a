import type { KeyEvent } from './key-store.js';

interface Pushing {
  readonly event: KeyEvent;
  readonly accept: () => void;
  readonly refuse: (reason: unknown) => void;
}

interface KeyQueue {
  waiting: Pushing[];
  /** Settles once nothing of this key is on its way any more. */
  readonly done: Promise<void>;
}

/**
 * Sends the events of one key one call after the other, each with everything that has
 * gathered meanwhile. Calls that run at the same time could overtake one another, as a
 * script that the server does not know yet is sent twice.
 */
export class RedisPushQueue {
  private readonly queues = new Map<string, KeyQueue>();

  /** @param send sends events of one key; resolves with how many of them were accepted */
  constructor(
    private readonly send: (key: string, events: readonly KeyEvent[]) => Promise<number>,
    private readonly full: (key: string) => Error,
  ) {}

  push(key: string, event: KeyEvent): Promise<void> {
    return new Promise((accept, refuse) => {
      const queue = this.queues.get(key);
      if (queue) {
        queue.waiting.push({ event, accept, refuse });
        return;
      }
      const waiting = [{ event, accept, refuse }];
      // The queue is known before it is worked off, so that this turn's events join it.
      const done = Promise.resolve().then(() => this.workOff(key));
      this.queues.set(key, { waiting, done });
    });
  }

  /** Resolves once what was pushed to these keys so far has arrived, or failed. */
  async settled(keys: readonly string[]): Promise<void> {
    if (this.queues.size > 0) {
      await Promise.all(keys.map((key) => this.queues.get(key)?.done));
    }
  }

  private async workOff(key: string): Promise<void> {
    const queue = this.queues.get(key)!;
    while (queue.waiting.length > 0) {
      const sending = queue.waiting;
      queue.waiting = [];
      try {
        const accepted = await this.send(
          key,
          sending.map(({ event }) => event),
        );
        sending.slice(0, accepted).forEach(({ accept }) => accept());
        sending.slice(accepted).forEach(({ refuse }) => refuse(this.full(key)));
      } catch (error) {
        sending.forEach(({ refuse }) => refuse(error));
      }
    }
    this.queues.delete(key);
  }
}
