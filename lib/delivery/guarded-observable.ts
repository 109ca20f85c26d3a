import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Observable,
  Subscriber,
  type Observer,
  type Operator,
  type Subscription,
  type TeardownLogic,
} from 'rxjs';
import type { Guard } from '../channel/guard.js';
import { guardTeardowns } from './guarded-teardowns.js';

/**
 * Subscribes to a user's Observable, or on a user's behalf. A teardown that throws would
 * otherwise throw at whoever ends the subscription: a socket, a timer, another reader. It is
 * logged, once for each subscription.
 */
export class GuardedSubscriber<T> extends Subscriber<T> {
  constructor(observer: Observer<T>, guard: Guard, what: string) {
    super(observer);
    let isReported = false;
    guardTeardowns(this, (error) => {
      if (!isReported) {
        isReported = true;
        guard.report(`The teardown of ${what}`, error);
      }
    });
  }

  /** Subscribes to what may only look like an Observable. */
  subscribeTo(source: Observable<T>): void {
    try {
      source.subscribe(this);
    } catch (error) {
      this.error(error);
    }
  }
}

/**
 * A user's Observable among others: its teardown throws at nobody, and what is thrown at it
 * while it emits goes no further either. Operators that merge would never end.
 *
 * It is subscribed to in the async context of this call, whoever subscribes to the result.
 *
 * @param fail takes what was thrown at it
 */
export function guarded<T>(
  source: Observable<T>,
  { guard, what, fail }: { guard: Guard; what: string; fail: (thrown: unknown) => void },
): Observable<T> {
  const inContext = AsyncLocalStorage.snapshot();
  return new Observable((subscriber) => {
    const pass = (notify: () => void): void => {
      try {
        notify();
      } catch (error) {
        fail(error);
      }
    };
    const inner = new GuardedSubscriber<T>(
      {
        next: (value) => pass(() => subscriber.next(value)),
        error: (error) => pass(() => subscriber.error(error)),
        complete: () => pass(() => subscriber.complete()),
      },
      guard,
      what,
    );
    subscriber.add(inner);
    inContext(() => inner.subscribeTo(source));
  });
}

/**
 * An Observable whose subscribers may throw, also behind `pipe()`. RxJS throws their error
 * again in a timer, which ends the process.
 */
export class GuardedObservable<T> extends Observable<T> {
  constructor(
    protected readonly guard: Guard,
    private readonly what: string,
    subscribe?: (subscriber: Subscriber<T>) => TeardownLogic,
  ) {
    super(subscribe);
  }

  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.guard, this.what);
    lifted.source = this;
    lifted.operator = operator;
    return lifted;
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    const { guard } = this;
    const subscriber = `A subscriber of ${this.what}`;
    if (isSubscriber(observerOrNext)) {
      guardConsumer(observerOrNext, guard, subscriber);
      return super.subscribe(observerOrNext);
    }
    const observer =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : { next: observerOrNext, error, complete };
    return super.subscribe(
      new GuardedSubscriber<T>(guardedObserver(observer, guard, subscriber), guard, this.what),
    );
  }
}

/** Whether it is a part of RxJS, which catches what its own functions are given. */
function isSubscriber(value: unknown): value is Subscriber<unknown> {
  return (
    value instanceof Subscriber ||
    // Of another copy of RxJS.
    (typeof value === 'object' && value !== null && 'closed' in value && 'unsubscribe' in value)
  );
}

type Functions<T> = { [K in keyof Observer<T>]?: Observer<T>[K] | null | undefined };

/** Whose functions are guarded already. */
const guardedObservers = new WeakSet<object>();

function guardedObserver<T>(observer: Functions<T>, guard: Guard, what: string): Observer<T> {
  const result: Observer<T> = {
    next: (value) => {
      try {
        observer.next?.(value);
      } catch (thrown) {
        guard.report(what, thrown);
      }
    },
    error: (failure) => {
      if (observer.error) {
        guard.run(what, () => observer.error?.(failure));
      } else {
        guard.report(what, failure);
      }
    },
    complete: () => guard.run(what, () => observer.complete?.()),
  };
  guardedObservers.add(result);
  return result;
}

/**
 * Guards what is subscribed to an Observable made of this one and others, such as that of
 * `merge()`. Nothing but the way to it leads there: a subscriber has its destination, and the
 * last one, from RxJS 7.5.6 on, the functions that were given to `subscribe()`.
 */
function guardConsumer(subscriber: Subscriber<unknown>, guard: Guard, what: string): void {
  let last: { destination?: unknown; partialObserver?: Functions<unknown> } | undefined =
    subscriber as object;
  while (isSubscriber(last) && !(last instanceof GuardedSubscriber)) {
    last = (last as { destination?: object }).destination;
  }
  const observer = last?.partialObserver;
  if (observer && !guardedObservers.has(observer)) {
    last!.partialObserver = guardedObserver(observer, guard, what);
  }
}
