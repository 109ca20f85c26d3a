import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout } from 'node:timers/promises';
import { MAX_TIMER_MS } from '../channel/clock.js';
import { withDeadline } from '../channel/deadline.js';
import { checkEvent } from '../channel/event-check.js';
import { SseError } from '../channel/sse-error.js';
import { Turns } from '../channel/turns.js';
import { textOf } from '../channel/value-text.js';
import type { Connection } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import { frameOf } from '../delivery/frame.js';
import type { SseSnapshot, Snapshots } from '../delivery/snapshot-cursor.js';
import {
  snapshotFunction,
  type SnapshotOption,
  type SnapshotsOption,
} from '../setup/snapshot-option.js';
import type { FrameworkRequest } from './framework-request.js';
import { sharedByStreams, type Route } from './route.js';

/** The most calls of one endpoint's `snapshot` under way at a time. */
const MOST_CALLS = 20;
/** How long a call may take, in milliseconds. */
const CALL_MS = 30_000;

/** For whom the state is read, and how. */
interface SnapshotCall {
  readonly request: FrameworkRequest;
  readonly controller: unknown;
  /** Called just before the state is read. */
  readonly begin: () => void;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
}

/** Calls the `snapshot` of an endpoint for its clients, a limited number at a time. */
export class SnapshotCalls {
  private readonly turns = new Turns(MOST_CALLS);

  constructor(
    private readonly option: SnapshotOption | SnapshotsOption,
    /** The endpoint, for messages. */
    readonly where: string,
    readonly delivery: Delivery,
    private readonly callTimeout = CALL_MS,
  ) {}

  /** Whether a channel has a state. */
  has(channel: string): boolean {
    return snapshotFunction(this.option, channel) !== undefined;
  }

  /**
   * Takes a state and returns it as text. When its client leaves, a call that has begun keeps its turn
   * until it settles, or for as long as a call may take: the function may still be at work.
   */
  async take(
    channel: string,
    { request, controller, begin, signal }: SnapshotCall,
  ): Promise<string> {
    return this.turns.take(async () => {
      begin();
      const read = snapshotFunction(this.option, channel)!;
      const call = (async () => read.call(controller, channel, request, signal))();
      try {
        return this.textOf(channel, await withDeadline(call, this.callTimeout, 'It', signal));
      } finally {
        if (signal.aborted) {
          const late = setTimeout(this.callTimeout, undefined, { ref: false });
          await Promise.race([call.catch(() => undefined), late]);
        }
      }
    }, signal);
  }

  private textOf(channel: string, state: unknown): string {
    const { serialize, eventLimits } = this.delivery;
    if (state === undefined) {
      throw new SseError(
        'INVALID_EVENT',
        'It returned undefined. Return the state, or null where there is none. Channels that never have one are ' +
          'left out by naming the others: snapshot: { orders: … }.',
      );
    }
    const data = serialize
      ? textOf({ channel, state } satisfies SseSnapshot, serialize)
      : `{"channel":${JSON.stringify(channel)},"state":${jsonOf(state)}}`;
    checkEvent({ data }, eventLimits);
    return data;
  }
}

function jsonOf(state: unknown): string {
  return typeof state === 'string'
    ? JSON.stringify(state)
    : textOf(state, undefined, 'Return other data');
}

/** Takes the states of channels for the client of one request. */
export class RequestSnapshots implements Snapshots {
  private controller: unknown;
  private connection: Connection | undefined;
  /** Runs a function in the async context of the request. */
  private readonly inContext = AsyncLocalStorage.snapshot();

  constructor(
    private readonly calls: SnapshotCalls,
    private readonly request: FrameworkRequest,
    /** About how many milliseconds a client waits before it returns. */
    private readonly retry: number,
  ) {}

  has(channel: string): boolean {
    return this.calls.has(channel);
  }

  /** Tells whose method the endpoint is, once it has run. */
  callOn(controller: unknown): void {
    this.controller = controller;
  }

  /** Tells the client's stream, once it has begun. */
  endOnFailure(connection: Connection): void {
    this.connection = connection;
  }

  async take(channel: string, begin: () => void, signal: AbortSignal): Promise<string> {
    const { calls, request, controller } = this;
    return this.inContext(() => calls.take(channel, { request, controller, begin, signal }));
  }

  fail(channel: string, error: unknown): void {
    const { where, delivery } = this.calls;
    delivery.guard.report(`\`snapshot\` of ${where}, for ${JSON.stringify(channel)},`, error);
    // What has failed for one client may fail for many, so that they return spread, and a bit later.
    const retry = Math.min(MAX_TIMER_MS, Math.round(this.retry * (1 + Math.random())));
    this.connection?.end(frameOf({ retry }), 'error');
  }
}

const shared = sharedByStreams(
  ({ options, where }, delivery) => new SnapshotCalls(options.snapshot!, where, delivery),
);

/** The snapshots for a request; `undefined` when its endpoint has none. */
export function snapshotsOf(
  route: Route,
  delivery: Delivery,
  request: FrameworkRequest,
  retry: number,
): RequestSnapshots | undefined {
  return route.options.snapshot && new RequestSnapshots(shared(route, delivery), request, retry);
}
