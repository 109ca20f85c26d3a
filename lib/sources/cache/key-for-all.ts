import type { KeyFeedOwner } from './key-feed.js';
import type { PolledKey } from './key-poll.js';
import type { KeyReading, PollRate } from './key-store.js';

type Owner = Pick<KeyFeedOwner, 'poll' | 'shared' | 'reportSkipped'>;

/** The keys that this instance polls for all instances. The store carries their values to readers. */
export class KeysForAll {
  private readonly keys = new Map<string, KeyForAll>();

  constructor(private readonly owner: Owner) {}

  /** Polls the key at this rate; `undefined`: no longer. */
  set(key: string, rate: PollRate | undefined): void {
    const { poll } = this.owner;
    const polled = this.keys.get(key) ?? new KeyForAll(key, this.owner);
    if (rate) {
      this.keys.set(key, polled);
      polled.interval = rate.interval;
      polled.maxInterval = rate.maxInterval;
      poll.add(polled);
    } else {
      this.keys.delete(key);
      poll.remove(polled);
    }
  }
}

class KeyForAll implements PolledKey {
  interval = Infinity;
  maxInterval = Infinity;
  reading: 'take' | 'not' = 'not';

  constructor(
    readonly key: string,
    private readonly owner: Owner,
  ) {}

  begin(): void {
    // After a freeze this process does not know who wants the key, and could take a value for nobody.
    this.reading = this.owner.shared?.isPoller ? 'take' : 'not';
  }

  receive({ shared = 0, skipped }: KeyReading): boolean {
    if (skipped) {
      this.owner.reportSkipped(this.key, skipped);
    }
    return shared > 0;
  }
}
