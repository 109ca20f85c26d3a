import { monotonicNow } from '../channel/clock.js';
import type { CountedAs } from '../delivery/client.js';
import type { RevocationRefusal, Revocations } from '../delivery/revocations.js';
import type { Subscription } from '../delivery/subscription.js';
import type { Exchange } from './exchange.js';

/** Keeps a request from a stream that the application has taken from its client. */
export class RevocationCheck {
  private readonly since = monotonicNow();

  constructor(
    private readonly revocations: Revocations,
    private readonly exchange: Exchange,
  ) {}

  /**
   * Answers a client that must not have this stream: with 204 while it is blocked, else with a frame
   * that makes it return, so that guards see it again. Returns whether it has answered.
   */
  async answers(counted: CountedAs, subscription?: Subscription): Promise<boolean> {
    const refusal = this.refusal(counted, subscription);
    if (refusal === 'blocked') {
      await this.exchange.answerEnded();
    } else if (refusal) {
      await this.exchange.answerAway(this.revocations.returnTime);
    }
    return refusal !== undefined;
  }

  refusal(counted: CountedAs, subscription?: Subscription): RevocationRefusal | undefined {
    return this.revocations.refusalOf(counted, subscription?.channels ?? [], this.since);
  }
}
