import { checkObserver } from './checks.js';
import { SseClientError } from './client-error.js';
import type { ClientEvent, ClientReset, SubscriptionHandlers } from './events.js';
import { iterate, type ClientObserver } from './iterate.js';
import { call } from './report.js';
import type { Ending } from './upstream.js';

/** What brings its channel to a subscription. */
export interface SubscriptionHost {
  attach(subscription: SseSubscription<never>): void;
  detach(subscription: SseSubscription<never>): void;
}

/**
 * A channel of one {@link SseClient}. With handlers it begins at once, else with its first reader; when the
 * last reader leaves a subscription without handlers, it rests until the next one comes.
 *
 * Read it by handlers, by `for await`, or as an Observable: `from(subscription)` of RxJS takes it.
 */
export class SseSubscription<Event = ClientEvent | ClientReset> implements AsyncIterable<Event> {
  private readonly observers = new Set<() => ClientObserver<Event>>();
  private isAttached = false;
  private isOver = false;

  /** `SseClient.subscribe()` makes subscriptions. */
  constructor(
    /** The channel's name. */
    readonly channel: string,
    /** @internal */
    readonly handlers: SubscriptionHandlers<never>,
    private readonly host: SubscriptionHost,
    /** Whether an event is of the types that its readers know. */
    private readonly isKnown: (type: string) => boolean,
    private readonly hasHandlers: boolean,
  ) {
    if (hasHandlers) this.attach();
  }

  /** Ends it. Loops and Observables that read it are complete. */
  close(): void {
    this.finish();
  }

  /**
   * Reads its events and resets from now on, as an Observable does.
   *
   * @returns what ends the reading
   * @throws TypeError for what cannot observe
   * @throws Error with `from`, when another subscription reads the channel already
   */
  subscribe(observer: ClientObserver<Event> | ((event: Event) => void)): { unsubscribe(): void } {
    checkObserver(observer);
    // The same one twice is two of them; its functions may need it as `this`.
    const one = () => (typeof observer === 'function' ? { next: observer } : observer);
    if (!this.isOver) this.attach();
    // Its client may be closed, which only now it hears.
    if (this.isOver) call(() => one().complete?.());
    else this.observers.add(one);
    return { unsubscribe: () => this.leave(one) };
  }

  /** Reads its events and resets from now on. Leaving the loop ends the reading. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Event> {
    return iterate((observer) => {
      const reading = this.subscribe(observer);
      return () => reading.unsubscribe();
    });
  }

  /** @internal */
  ['@@observable'](): this {
    return this;
  }

  /** @internal Its channel is live. */
  opened(): void {
    // It may have been closed by a handler of another one.
    if (this.isAttached) call(this.handlers.onOpen);
  }

  /** @internal Takes an event. */
  take(event: ClientEvent): void {
    const { handlers } = this;
    if (!this.isAttached) return;
    if (!this.isKnown(event.type)) call(handlers.onOther, event);
    else {
      call(handlers.onEvent, event as never);
      this.tell(event as Event);
    }
  }

  /** @internal */
  reset(reset: ClientReset): void {
    if (!this.isAttached) return;
    call(this.handlers.onReset, reset);
    this.tell(reset as Event);
  }

  /** @internal The channel has ended, is refused, or the client is. */
  finish(how?: Ending, error?: SseClientError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.detach();
    const { handlers } = this;
    if (how === 'onError') call(handlers.onError, error!);
    else if (how) call(handlers[how]);
    const observers = [...this.observers];
    this.observers.clear();
    const text = `The server refuses the channel "${this.channel}".`;
    const why =
      how === 'onDenied' ? new SseClientError(text, { status: 403, isFinal: true }) : error;
    for (const observer of observers) {
      call(() => (why ? observer().error?.(why) : observer().complete?.()));
    }
  }

  private tell(event: Event): void {
    for (const observer of this.observers) call(() => observer().next?.(event));
  }

  private leave(observer: () => ClientObserver<Event>): void {
    this.observers.delete(observer);
    if (this.observers.size === 0 && !this.hasHandlers) this.detach();
  }

  private attach(): void {
    if (this.isAttached) return;
    this.host.attach(this as unknown as SseSubscription<never>);
    this.isAttached = true;
  }

  private detach(): void {
    if (!this.isAttached) return;
    this.isAttached = false;
    this.host.detach(this as unknown as SseSubscription<never>);
  }
}

const { observable } = Symbol as { readonly observable?: symbol };
if (observable) {
  Object.assign(SseSubscription.prototype, {
    [observable](this: unknown) {
      return this;
    },
  });
}
