import { channel } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import type { Observable, Subscriber } from 'rxjs';
import { DIAGNOSTICS } from '../channel/diagnostics.js';
import type { Guard } from '../channel/guard.js';
import { inSlices } from '../channel/slices.js';
import { monotonicNow } from '../channel/clock.js';
import type { Connection } from './connection.js';
import type { EndReason } from './end-reason.js';
import { GuardedObservable } from './guarded-observable.js';
import type { SseConnection } from './sse-connection.js';

/** A connection was opened: its client has received the first frame. */
export interface SseOpened {
  readonly type: 'opened';
  readonly connection: SseConnection;
}

/** A connection was closed. */
export interface SseClosed {
  readonly type: 'closed';
  readonly connection: SseConnection;
  readonly reason: EndReason;
  /** What `disconnect()` was given as `reason`; unset without. */
  readonly detail?: string;
  /** For how long it was open, in milliseconds. */
  readonly duration: number;
  /** How many events were written to it, `sse:reset` among them, and `sse:open` not. */
  readonly events: number;
  /** How many bytes were written to it after the first frame, heartbeats among them. */
  readonly bytes: number;
}

/** What `SseService.connections$` emits. */
export type SseConnectionEvent = SseOpened | SseClosed;

/** Where others in the process hear of it. */
const CHANNELS = { opened: channel(DIAGNOSTICS.opened), closed: channel(DIAGNOSTICS.closed) };

/** What is told of a connection that has closed. */
export function closedEvent(
  { openedAt, endReason, events, bytes }: Connection,
  connection: SseConnection,
  detail: string | undefined,
): SseClosed {
  return {
    type: 'closed',
    connection,
    reason: endReason!,
    ...(detail !== undefined && { detail }),
    duration: monotonicNow() - openedAt,
    events,
    bytes,
  };
}

/**
 * Tells whoever listens of connections that open and close: in their order, after the turn in which
 * it happens, and outside of any request's async context.
 */
export class ConnectionEvents {
  readonly events$: Observable<SseConnectionEvent>;
  private readonly listeners = new Set<(event: SseConnectionEvent) => void>();
  private readonly subscribers = new Set<Subscriber<SseConnectionEvent>>();
  private waiting: SseConnectionEvent[] = [];
  private telling: Promise<void> | undefined;

  constructor(
    guard: Guard,
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R,
  ) {
    this.events$ = new GuardedObservable(guard, 'connections$', (subscriber) => {
      this.subscribers.add(subscriber);
      const unlisten = this.listen((event) => subscriber.next(event));
      return () => {
        this.subscribers.delete(subscriber);
        unlisten();
      };
    });
  }

  /** Whether anybody listens. */
  get areHeard(): boolean {
    return (
      this.listeners.size > 0 || CHANNELS.opened.hasSubscribers || CHANNELS.closed.hasSubscribers
    );
  }

  /** Calls a listener that never throws with each event. Returns a function that ends it. */
  listen(listener: (event: SseConnectionEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  tell(event: SseConnectionEvent): void {
    this.waiting.push(event);
    this.telling ??= this.detach(() => this.tellWaiting());
  }

  /** Tells what is left, and completes the Observable. */
  async end(): Promise<void> {
    await this.telling;
    this.subscribers.forEach((subscriber) => subscriber.complete());
  }

  private async tellWaiting(): Promise<void> {
    await setImmediate();
    while (this.waiting.length > 0) {
      const events = this.waiting;
      this.waiting = [];
      await inSlices(events, (event) => {
        this.listeners.forEach((listener) => listener(event));
        CHANNELS[event.type].publish(event);
      });
    }
    this.telling = undefined;
  }
}
