import type { KeyPoll, PolledKey } from './key-poll.js';
import type { KeyReading, PollRate, Skipped } from './key-store.js';

/** This instance, as the polling for all instances sees it. */
interface Duty {
  isPoller(): boolean;
  reportSkipped(key: string, skipped: Skipped): void;
}

/** The keys that this instance polls for all instances. The store carries their values to readers. */
export class KeysForAll {
  private readonly keys = new Map<string, KeyForAll>();

  constructor(
    private readonly poll: KeyPoll,
    private readonly duty: Duty,
  ) {}

  /** Polls the key at this rate; `undefined`: no longer. */
  set(key: string, rate: PollRate | undefined): void {
    const polled = this.keys.get(key) ?? new KeyForAll(key, this.duty);
    if (rate) {
      this.keys.set(key, polled);
      polled.interval = rate.interval;
      polled.maxInterval = rate.maxInterval;
      this.poll.add(polled);
    } else {
      this.keys.delete(key);
      this.poll.remove(polled);
    }
  }
}

class KeyForAll implements PolledKey {
  interval = Infinity;
  maxInterval = Infinity;
  reading: 'take' | 'not' = 'not';

  constructor(
    readonly key: string,
    private readonly duty: Duty,
  ) {}

  begin(): void {
    // After a freeze this process does not know who wants the key, and could take a value for nobody.
    this.reading = this.duty.isPoller() ? 'take' : 'not';
  }

  receive({ shared = 0, skipped }: KeyReading): boolean {
    if (skipped) {
      this.duty.reportSkipped(this.key, skipped);
    }
    return shared > 0;
  }
}
