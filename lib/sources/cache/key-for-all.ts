import type { PolledKey } from './key-poll.js';
import type { KeyReading } from './key-store.js';
import type { PollRate, SharedPolls } from './shared-polls.js';

/** A key that this instance polls for all instances. Its values reach readers by the store. */
export class KeyForAll implements PolledKey {
  interval = Infinity;
  maxInterval = Infinity;
  private isPoller = false;

  constructor(
    readonly key: string,
    private readonly shared: () => SharedPolls | undefined,
    private readonly onSkipped: (reading: KeyReading) => void,
  ) {}

  set rate({ interval, maxInterval }: PollRate) {
    this.interval = interval;
    this.maxInterval = maxInterval;
  }

  /** A process that was frozen may not know yet what is wanted now: a value could be taken for nobody. */
  get reading(): 'take' | 'not' {
    return this.isPoller ? 'take' : 'not';
  }

  begin(): void {
    this.isPoller = this.shared()?.isPoller === true;
  }

  receive(reading: KeyReading): boolean {
    this.onSkipped(reading);
    return (reading.shared ?? 0) > 0;
  }
}
