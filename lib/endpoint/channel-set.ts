import type { Observable, Observer } from 'rxjs';
import { monotonicNow } from '../channel/clock.js';
import { withDeadline } from '../channel/deadline.js';
import { SseError } from '../channel/sse-error.js';
import type { ChangingSubscription } from '../delivery/changing-subscription.js';
import type { CountedAs } from '../delivery/client.js';
import type { Connection } from '../delivery/connection.js';
import { GuardedSubscriber } from '../delivery/guarded-observable.js';
import { awayFrame } from '../delivery/opening.js';
import type { Snapshots } from '../delivery/snapshot-cursor.js';
import type { ChannelRequest } from '../delivery/channel-request.js';
import { withoutBlocked, type Decision } from './authorization.js';
import { RequestGone } from './stay.js';
import { SetChanges, type ChannelSetOptions, type ToldSet, type WantedSet } from './set-changes.js';

/** How long an Observable may take for its first set, in milliseconds. */
const FIRST_SET_MS = 30_000;

/** The channels of one request, as the Observable of its resolver tells them again and again. */
export class ChannelSet implements Observer<unknown>, WantedSet {
  /** Why the set is over, once it is. */
  failure: { readonly cause: unknown } | undefined;
  /** What the Observable has told last. */
  told: ToldSet | undefined;
  /** What the first channels of the stream are of. */
  private first: ToldSet | undefined;
  private denied: readonly string[] = [];
  private subscription: ChangingSubscription | undefined;
  private changes: SetChanges | undefined;
  private source: GuardedSubscriber<unknown> | undefined;
  private isComplete = false;
  private isClosed = false;
  /** These end what waits, when the set is closed. */
  private readonly waiting = new Set<() => void>();
  private goOn: (() => void) | undefined;

  constructor(private readonly options: ChannelSetOptions) {}

  /**
   * Subscribes, and waits for the first set. Without one the Observable has completed.
   *
   * @throws SseError `UNAVAILABLE` when none comes in time; and the error of the Observable, or of its
   * first set
   */
  async begun(source: Observable<unknown>, timeout = FIRST_SET_MS): Promise<Decision | undefined> {
    const { delivery, decide, isBlocked } = this.options;
    const { what } = this;
    const begun = new Promise<void>((resolve) => (this.goOn = resolve));
    this.source = new GuardedSubscriber(this, delivery.guard, what);
    this.source.subscribeTo(source);
    await withDeadline(this.whileOpen(begun), timeout, what);
    this.check();
    if (!this.told) {
      return undefined;
    }
    this.first = this.told;
    const names = [...this.told.names];
    const answer = decide ? await decide(names, this.whileOpen) : { allowed: names, denied: [] };
    this.check();
    const decision = withoutBlocked(answer, isBlocked);
    this.denied = decision.denied;
    return decision;
  }

  private get what(): string {
    return `The Observable of channels of ${this.options.where}`;
  }

  /** Whether the stream is open. */
  get isOpen(): boolean {
    return this.changes !== undefined;
  }

  isWanted(name: string): boolean {
    return this.told?.names.has(name) === true;
  }

  /** Opens the first channels. The set closes with them. @throws SseError as `Delivery.subscribe()` */
  subscribe(
    requests: readonly ChannelRequest[],
    snapshots: Snapshots | undefined,
  ): ChangingSubscription {
    const subscription = this.options.delivery.subscribeChanging(requests, snapshots);
    this.subscription = subscription;
    subscription.onClosed = () => this.close();
    this.finish();
    return subscription;
  }

  /** @throws the reason for which the set is over */
  check(): void {
    if (this.failure) {
      throw this.failure.cause;
    }
  }

  /** Takes out of the set what has left it before the stream begins. */
  begin(): void {
    this.subscription?.keep((name) => this.isWanted(name));
    this.subscription?.begin();
  }

  /** Changes the set of an open stream from now on. */
  follow(connection: Connection, counted: CountedAs): void {
    const { subscription, first, denied, options } = this;
    if (subscription && !this.isClosed) {
      const stream = { connection, subscription, counted };
      this.changes = new SetChanges(this, options, stream, first, denied);
      this.changes.make();
    }
  }

  next(emitted: unknown): void {
    if (this.isClosed || this.failure) {
      return;
    }
    try {
      const names = new Set(this.options.namesOf(emitted));
      this.told = { names, at: monotonicNow() };
    } catch (error) {
      this.error(error);
      return;
    }
    this.goOn?.();
    this.changes?.make();
  }

  error(cause: unknown, what = this.what): void {
    if (this.isClosed || this.failure) {
      return;
    }
    this.failure = { cause };
    this.goOn?.();
    this.source?.unsubscribe();
    if (this.changes) {
      const { guard, connections } = this.options.delivery;
      guard.report(what, cause);
      const isFull = cause instanceof SseError && cause.code === 'LIMIT_REACHED';
      this.changes.end(isFull ? awayFrame(connections.awayTime) : '');
    }
  }

  complete(): void {
    this.isComplete = true;
    this.goOn?.();
    this.finish();
  }

  close(): void {
    if (!this.isClosed) {
      this.isClosed = true;
      this.source?.unsubscribe();
      this.waiting.forEach((leave) => leave());
    }
  }

  /** Tells the subscription that no channel comes any more, once that is so. */
  finish(): void {
    const made = this.changes ? this.changes.made : this.first;
    if (this.isComplete && made === this.told) {
      this.subscription?.finish();
    }
  }

  /** Waits for a promise, but no longer than the set is open. */
  readonly whileOpen = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const leave = (): void => reject(new RequestGone());
      this.waiting.add(leave);
      void work.then(resolve, reject).finally(() => this.waiting.delete(leave));
      if (this.isClosed) {
        leave();
      }
    });
}
