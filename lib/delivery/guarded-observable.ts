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
 * Subscribes to a user's Observable, or on a user's behalf. It logs the first error of a teardown,
 * which would otherwise reach whoever ends the subscription: a socket, a timer, another reader.
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

  /** Subscribes to an object that may only look like an Observable. */
  subscribeTo(source: Observable<T>): void {
    try {
      source.subscribe(this);
    } catch (error) {
      this.error(error);
    }
  }
}

/**
 * Wraps a user's Observable, so that errors of its teardown and of its consumers go no further: an
 * operator that merges it with others would never end. The wrapper subscribes in the async context
 * of this call, whoever subscribes to it.
 *
 * @param fail takes the error of a consumer
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
 * An Observable whose subscribers may throw, also behind `pipe()`. RxJS would throw their errors
 * again in a timer, which would end the process.
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

/**
 * Whether a value is a subscriber of RxJS itself, which catches errors of the functions behind it.
 */
function isSubscriber(value: unknown): value is Subscriber<unknown> {
  return (
    value instanceof Subscriber ||
    // A subscriber of another copy of RxJS.
    (typeof value === 'object' && value !== null && 'closed' in value && 'unsubscribe' in value)
  );
}

type Functions<T> = { [K in keyof Observer<T>]?: Observer<T>[K] | null | undefined };

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
 * Guards the consumer behind an operator such as `merge()`, whose Observable is not ours. Each
 * subscriber knows the next one; the last one holds, from RxJS 7.5.6 on, the functions that the
 * application gave to `subscribe()`.
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
