import type { Subscriber } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import type { SseEvent } from '../channel/sse-event.js';
import { GuardedObservable } from './guarded-observable.js';
import { ObservableReader } from './observable-reader.js';
import type { Subscription } from './subscription.js';
import type { ChannelRequest } from './channel-request.js';

/**
 * The Observable of channels. If a handler returns one unchanged, the endpoint reads the
 * channels itself, so that clients can resume and share blocks with all others.
 */
export class ChannelStream extends GuardedObservable<SseEvent> {
  constructor(
    readonly requests: readonly ChannelRequest[],
    readonly lastEventId: string | undefined,
    guard: Guard,
    subscribe: (subscriber: Subscriber<SseEvent>) => void,
  ) {
    super(guard, 'a stream of channels', subscribe);
  }
}

/** Passes all events of channels to a subscriber, control events too, without back pressure. */
export function readInto(
  subscription: Subscription,
  subscriber: Subscriber<SseEvent>,
  guard: Guard,
): void {
  if (subscriber.closed) {
    return;
  }
  const next = (event: SseEvent): void => {
    try {
      subscriber.next(event);
    } catch (error) {
      guard.report('A subscriber of a stream of channels', error);
    }
  };
  const reader = new ObservableReader(subscription, {
    isBlocked: false,
    event: next,
    control: next,
    end: () => guard.run('A subscriber of a stream of channels', () => subscriber.complete()),
  });
  // The subscriber may leave while it receives the first events.
  subscriber.add(() => reader.close());
  reader.pull();
}
