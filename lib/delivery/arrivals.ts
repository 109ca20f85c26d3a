import { Walk } from './walk.js';

/** A request on its way to a stream, for which an interceptor, a resolver or a handler is at work. */
export interface Arrival {
  /** Whether it has been answered, or its client has left, as far as Node knows. */
  readonly isGone: boolean;
  /** Reads and drops the request's body if nobody reads it: it hides the end of the client. */
  drain(): void;
  /** Has the work for it given up. */
  leave(): void;
  /** Answers with a stream that ends after this frame. */
  sendAway(frame: string): void;
  /** Ends its connection. */
  destroy(): void;
}

/**
 * The requests whose streams have not begun yet. However long a resolver or a handler takes,
 * they end with their client.
 */
export class Arrivals {
  /** Each with the client whose place it takes, if it has one, and whether it has been looked at. */
  private readonly open = new Map<Arrival, { client: string | undefined; wasSeen: boolean }>();
  private readonly audit: Walk<Arrival>;

  constructor(auditPeriod: number) {
    this.audit = new Walk(this.open, auditPeriod, (arrival) => this.look(arrival));
  }

  get size(): number {
    return this.open.size;
  }

  /** Adds a request, or tells whose place it takes. */
  add(arrival: Arrival, client?: string): void {
    this.open.set(arrival, { client, wasSeen: false });
    this.audit.start();
  }

  /** Whether the request has a place. */
  hasPlace(arrival: Arrival): boolean {
    return this.open.get(arrival)?.client !== undefined;
  }

  /** Forgets a request, and tells whose place it had; `undefined` when it had none. */
  take(arrival: Arrival): string | undefined {
    const client = this.open.get(arrival)?.client;
    this.open.delete(arrival);
    if (this.open.size === 0) {
      this.audit.stop();
    }
    return client;
  }

  /** Every request that is on its way now. */
  [Symbol.iterator](): IterableIterator<Arrival> {
    return this.open.keys();
  }

  private look(arrival: Arrival): void {
    const entry = this.open.get(arrival)!;
    if (arrival.isGone) {
      arrival.leave();
    } else if (entry.wasSeen) {
      // Whoever wants to read the body has begun by now.
      arrival.drain();
    }
    entry.wasSeen = true;
  }
}
