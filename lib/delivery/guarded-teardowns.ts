import { Subscription, type Subscriber, type TeardownLogic } from 'rxjs';

/** One whose teardowns throw at nobody. */
interface Guarded extends Subscription {
  /** Takes what they throw. */
  [REPORT]?: (error: unknown) => void;
}

const REPORT = Symbol('report');

/**
 * Has the teardowns of a subscriber throw at nobody, nor those of the operators before it.
 * Operators that merge wait for a source until all of its teardown has been run: for ever, where
 * that throws; and another operator before them may take what it throws for an error of its own.
 */
export function guardTeardowns(
  subscriber: Subscriber<never>,
  report: (error: unknown) => void,
): void {
  guardBy(subscriber, report);
}

function guardBy(subscription: Guarded, report: (error: unknown) => void): void {
  subscription[REPORT] = report;
  // Functions that all have in common: a stream has several subscribers.
  subscription.add = add;
  subscription.unsubscribe = unsubscribe;
}

/** An operator's subscriber is added to the one behind it. */
function add(this: Guarded, teardown: TeardownLogic): void {
  const report = this[REPORT]!;
  let guarded = teardown;
  if (teardown instanceof Subscription) {
    // It stays the same, as it may be removed again.
    if (!teardown.closed && !(REPORT in teardown)) {
      guardBy(teardown, report);
    }
  } else if (teardown) {
    guarded = () =>
      attempt(() => (typeof teardown === 'function' ? teardown() : teardown.unsubscribe()), report);
  }
  Subscription.prototype.add.call(this, guarded);
}

function unsubscribe(this: Guarded): void {
  const inherited = Object.getPrototypeOf(this) as Subscription;
  attempt(() => inherited.unsubscribe.call(this), this[REPORT]!);
}

function attempt(teardown: () => void, report: (error: unknown) => void): void {
  try {
    teardown();
  } catch (error) {
    report(error);
  }
}
