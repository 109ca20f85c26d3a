import { isPromise } from 'node:util/types';
import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import type { SseLogger } from '../channel/source.js';
import type { SseConnectionEvent } from '../delivery/connection-events.js';
import type { SseOccupied, SseVacated } from '../presence/sse-presence.js';
import type { HookMark } from './connection-hooks.decorators.js';

/** How long a hook may take before we log that it has not settled, in milliseconds. */
const SETTLE_MS = 30_000;

/** What methods of the application are called for. */
export type HookEvent = SseConnectionEvent | SseOccupied | SseVacated;

/** A method of the application that is called when connections open or close, or channels get readers. */
export class ConnectionHook {
  /** When the calls began that have not settled. */
  private readonly pending = new Set<{ readonly since: number }>();
  private timer: NodeJS.Timeout | undefined;
  private isTold = false;

  constructor(
    /** The class and method, for messages. */
    private readonly where: string,
    private readonly mark: HookMark,
    private readonly call: (event: HookEvent) => unknown,
    private readonly services: { readonly guard: Guard; readonly log: SseLogger },
    private readonly settleTimeout = SETTLE_MS,
  ) {}

  /** Calls the method if the event is one of its. What it fails with is logged. */
  readonly tell = (event: HookEvent): void => {
    const { type, channels } = this.mark;
    if (
      event.type !== type ||
      (channels && !namesIn(event).some((name) => channels.paramsOf(name)))
    ) {
      return;
    }
    const result = this.services.guard.run(this.where, () => this.call(event));
    if (isPromise(result) && !this.isTold) {
      this.watch(result);
    }
  };

  /** Stops to wait for calls. */
  stop(): void {
    clearTimeout(this.timer);
    this.pending.clear();
    this.isTold = true;
  }

  private watch(result: Promise<unknown>): void {
    const call = { since: monotonicNow() };
    const settled = (): void => void this.pending.delete(call);
    this.pending.add(call);
    result.then(settled, settled);
    this.timer ??= setTimeout(this.look, this.settleTimeout).unref();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const [oldest] = this.pending;
    if (!oldest) {
      return;
    }
    const left = oldest.since + this.settleTimeout - monotonicNow();
    if (left > 0) {
      this.timer = setTimeout(this.look, left).unref();
      return;
    }
    this.services.log.warn(
      `${this.where} has not settled within ${this.settleTimeout} ms. Connections go on ` +
        'without it. Make it resolve or reject in time.',
    );
    this.stop();
  };
}

function namesIn(event: HookEvent): readonly string[] {
  return 'channel' in event ? [event.channel] : event.connection.channels;
}
