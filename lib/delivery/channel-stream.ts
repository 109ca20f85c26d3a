import type { Subscriber } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import type { SseEvent } from '../channel/sse-event.js';
import { GuardedObservable } from './guarded-observable.js';
import { ObservableReader } from './observable-reader.js';
import type { ChannelRequest, Subscription } from './subscription.js';

/**
 * The Observable of channels. An endpoint whose handler returns one as it is reads the
 * channels itself, so that clients resume, and share the blocks of all others.
 */
export class ChannelStream extends GuardedObservable<SseEvent> {
  constructor(
    readonly requests: () => readonly ChannelRequest[],
    readonly lastEventId: string | undefined,
    guard: Guard,
    subscribe: (subscriber: Subscriber<SseEvent>) => void,
  ) {
    super(guard, 'a stream of channels', subscribe);
  }
}

/** Reads channels into a subscriber: everything, control events too, at any pace. */
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
  // It may leave while it is passed the first events.
  subscriber.add(() => reader.close());
  reader.pull();
}
