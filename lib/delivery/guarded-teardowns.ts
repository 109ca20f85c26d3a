import { Subscription, type TeardownLogic } from 'rxjs';

/** A subscription that hands over errors of its teardowns. */
interface Guarded extends Subscription {
  [REPORT]?: (error: unknown) => void;
}

const REPORT = Symbol('report');

/**
 * Reports errors of the teardowns of a subscription, and of the operators before it, which would
 * otherwise be thrown. An operator that merges would wait for such a source for ever, and others
 * would take the error for one of their own.
 */
export function guardTeardowns(subscription: Guarded, report: (error: unknown) => void): void {
  subscription[REPORT] = report;
  // All subscriptions share these functions: a stream has several.
  subscription.add = add;
  subscription.unsubscribe = unsubscribe;
}

/** An operator's subscriber is added to the one behind it. */
function add(this: Guarded, teardown: TeardownLogic): void {
  const report = this[REPORT]!;
  let guarded = teardown;
  if (teardown instanceof Subscription) {
    // Added as it is, since it may be removed again.
    if (!teardown.closed && !(REPORT in teardown)) {
      guardTeardowns(teardown, report);
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
