import { monotonicNow } from '../channel/clock.js';
import type { CountedAs } from '../delivery/client.js';
import type { RevocationRefusal, Revocations } from '../delivery/revocations.js';
import type { Subscription } from '../delivery/subscription.js';
import type { Exchange } from './exchange.js';
import type { GrantedChannels } from './granted-channels.js';

/** Keeps a request from a stream that the application has taken from its client. */
export class RevocationCheck {
  private readonly since = monotonicNow();

  constructor(
    private readonly revocations: Revocations,
    private readonly exchange: Exchange,
  ) {}

  /**
   * Answers a client that must not have this stream: with 204 while it is blocked, else with a frame
   * that makes it return, so that guards see it again. Returns `undefined` for a client that may have
   * it.
   *
   * @param requested what the request may read by its route
   */
  answer(
    counted: CountedAs,
    subscription?: Subscription,
    requested: Pick<GrantedChannels, 'channels'> = { channels: [] },
  ): Promise<void> | undefined {
    const refusal = this.refusal(counted, subscription);
    if (refusal === 'blocked' && !this.mayHaveOthers(counted, subscription, requested)) {
      return this.exchange.answerEnded();
    }
    return refusal && this.exchange.answerAway(this.revocations.returnTime);
  }

  refusal(counted: CountedAs, subscription?: Subscription): RevocationRefusal | undefined {
    return this.revocations.refusalOf(counted, subscription, this.since);
  }

  /**
   * Whether the client will have some of the channels when it returns. A handler that chooses channels by
   * itself would choose the blocked one again.
   */
  private mayHaveOthers(
    counted: CountedAs,
    subscription: Subscription | undefined,
    { channels }: Pick<GrantedChannels, 'channels'>,
  ): boolean {
    const ofRoute = new Set(channels.map(({ name }) => name));
    const names = subscription?.channels ?? [];
    return (
      names.every((name) => ofRoute.has(name)) &&
      names.some((name) => !this.revocations.isBlocked(counted, name))
    );
  }
}
