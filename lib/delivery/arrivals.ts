import type { CountedAs } from './client.js';
import { Walk } from './walk.js';

/** A request whose stream has not begun: an interceptor, a resolver or a handler still runs. */
export interface Arrival {
  /** Whether the request was answered, or its client has left, as far as Node knows. */
  readonly isGone: boolean;
  /** Drops the request's body if nobody reads it. An unread body hides that the client leaves. */
  drain(): void;
  /** Stops the wait for the interceptor, resolver or handler. */
  leave(): void;
  /** Makes the client return after a time in milliseconds. */
  sendAway(returnTime: number): void;
  /** Destroys the request's connection. */
  destroy(): void;
}

/**
 * The requests whose streams have not begun yet. A request ends when its client leaves, however
 * long a resolver or a handler takes.
 */
export class Arrivals {
  /** Each with the client that it counts for, if any, and whether an audit has seen it. */
  private readonly open = new Map<Arrival, { client: CountedAs | undefined; wasSeen: boolean }>();
  private readonly audit: Walk<Arrival>;

  /** @param detach runs a function outside of any request's async context */
  constructor(auditPeriod: number, detach: <R>(run: () => R) => R) {
    this.audit = new Walk(this.open, auditPeriod, (arrival) => this.look(arrival), detach);
  }

  get size(): number {
    return this.open.size;
  }

  /** Adds a request, or notes the client that it counts for. */
  add(arrival: Arrival, client?: CountedAs): void {
    this.open.set(arrival, { client, wasSeen: false });
    this.audit.start();
  }

  /** Whether the request has a place. */
  hasPlace(arrival: Arrival): boolean {
    return this.open.get(arrival)?.client !== undefined;
  }

  /** Forgets a request, and returns the client that it counted for; `undefined` without a place. */
  take(arrival: Arrival): CountedAs | undefined {
    const client = this.open.get(arrival)?.client;
    this.open.delete(arrival);
    return client;
  }

  [Symbol.iterator](): IterableIterator<Arrival> {
    return this.open.keys();
  }

  private look(arrival: Arrival): void {
    const entry = this.open.get(arrival)!;
    if (arrival.isGone) {
      arrival.leave();
    } else if (entry.wasSeen) {
      // A handler that wants to read the body has begun by now.
      arrival.drain();
    }
    entry.wasSeen = true;
  }
}
