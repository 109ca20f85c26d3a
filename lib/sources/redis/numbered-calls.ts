import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { monotonicNow } from '../../channel/clock.js';
import { settledWithin } from '../../channel/deadline.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import { SseError } from '../../channel/sse-error.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { Lane } from './lane.js';
import { NumberedCall, type CallKind } from './numbered-call.js';
import type { OnceRecord } from './once-record.js';
import type { RedisStreams } from './redis-streams.js';

/** The most bytes of events that may wait for Redis. */
const MAX_WAITING_BYTES = 64 * 1_048_576;
/** How often we send calls again, and reject events that have waited too long. */
const TICK_MS = 100;
/** How long a stop waits for events on their way. */
const STOP_MS = 1_000;
/** The most lanes, and about the most bytes, that share a call. */
const CALL_LANES = 64;
const CALL_SIZE = 524_288;
/** The most shared calls under way at a time: Redis works on one while we make the next. */
const MAX_CALLS = 64;

/**
 * Sends events to Redis by numbered calls of one kind. Events wait in lanes. A lane is in one call at
 * a time, so its events keep their order. We send a call until Redis answers it or nobody waits.
 */
export class NumberedCalls {
  private readonly lanes = new Map<string, Lane>();
  /** The lanes with events that wait for a call. */
  private readonly due = new Set<Lane>();
  private readonly calls = new Set<NumberedCall>();
  private readonly instance = randomBytes(9).toString('base64url');
  private readonly isPerLane: boolean;
  private readonly idleMarkers: string[] = [];
  private markers = 0;
  private number = 0;
  private waitingBytes = 0;
  private readonly detach = AsyncLocalStorage.snapshot();
  /** One function for all lanes, as each event may have a lane of its own. */
  private readonly resized = (by: number): void => {
    this.waitingBytes += by;
  };
  private readonly offReady: () => void;
  private flush: NodeJS.Immediate | undefined;
  private tick: NodeJS.Timeout | undefined;
  private onEmpty: () => void = () => undefined;
  private isStopped = false;

  constructor(
    private readonly streams: RedisStreams,
    private readonly kind: CallKind,
  ) {
    // A Cluster wants the marker in the slot of the lane.
    this.isPerLane = kind.isPerLane || streams.connection.isCluster;
    this.offReady = streams.connection.onReady(() => this.sendNow());
  }

  /**
   * Resolves with the event's id, as `outcomes()` of the kind gives it. A rejection that nobody awaits
   * is harmless, as the log tells what failed.
   *
   * @param keys the keys that a call for the event names; the first names its lane
   */
  publish(event: OutgoingEvent, ...keys: readonly string[]): Promise<string> {
    return this.enqueue(event, keys);
  }

  /** Like `publish()`, for an event with an idempotency key. The id of a duplicate begins with `AGAIN`. */
  publishOnce(event: OutgoingEvent, once: OnceRecord, ...keys: readonly string[]): Promise<string> {
    return this.enqueue(event, keys, once);
  }

  markerOf(lane: string): string {
    return `${lane}:from:${this.instance}`;
  }

  /** Sends waiting events once more, and rejects those that Redis does not accept in time. */
  async stop(): Promise<void> {
    if (this.lanes.size > 0) {
      const emptied = new Promise<void>((resolve) => (this.onEmpty = resolve));
      this.sendNow();
      await settledWithin(emptied, STOP_MS);
    }
    this.isStopped = true;
    this.offReady();
    clearImmediate(this.flush);
    clearInterval(this.tick);
    this.lanes.forEach((lane) => lane.giveUp(Infinity, shuttingDown));
    this.due.clear();
  }

  private refusal(): SseError | undefined {
    if (this.isStopped) {
      return shuttingDown();
    }
    return this.waitingBytes <= MAX_WAITING_BYTES
      ? undefined
      : new SseError(
          'LIMIT_REACHED',
          `${this.waitingBytes} bytes of events wait for Redis already. Send slower, by awaiting send().`,
        );
  }

  private enqueue(
    event: OutgoingEvent,
    keys: readonly string[],
    once?: OnceRecord,
  ): Promise<string> {
    const refusal = this.refusal();
    const sent = refusal ? Promise.reject<string>(refusal) : this.add(event, keys, once);
    sent.catch(ignore);
    return sent;
  }

  private add(event: OutgoingEvent, keys: readonly string[], once?: OnceRecord): Promise<string> {
    const [name] = keys as readonly [string];
    let lane = this.lanes.get(name);
    if (!lane) {
      lane = new Lane(keys, this.resized);
      this.lanes.set(name, lane);
    }
    // One timer serves all lanes. It ends with the last lane.
    this.tick ??= this.detach(() => setInterval(() => this.onTick(), TICK_MS));
    const timeout = this.kind.isDeclarative ? Infinity : this.streams.settings.sendTimeout;
    const sent = lane.add(event, monotonicNow() + timeout, once);
    this.proceed(lane);
    return sent;
  }

  /** Makes the lane wait for a call, unless it is in one. Drops an empty lane. */
  private proceed(lane: Lane): void {
    if (lane.isEmpty) {
      this.lanes.delete(lane.keys[0]!);
      this.due.delete(lane);
    } else if (!lane.isInCall) {
      this.due.add(lane);
    }
    if (this.due.size > 0) {
      this.flush ??= this.detach(() => setImmediate(() => this.makeCalls()));
    } else if (this.lanes.size === 0) {
      this.onEmpty();
    }
  }

  /** Makes calls for waiting lanes, as long as there is room. */
  private makeCalls(): void {
    clearImmediate(this.flush);
    this.flush = undefined;
    while (this.due.size > 0 && this.hasRoom) {
      const lanes = this.takeLanes();
      const marker = this.isPerLane ? this.markerOf(lanes[0]!.keys[0]!) : this.anyMarker();
      const call = new NumberedCall(this.streams, this.kind, ++this.number, marker, lanes);
      this.calls.add(call);
      void this.send(call);
    }
  }

  private get hasRoom(): boolean {
    return this.isPerLane || this.idleMarkers.length > 0 || this.markers < MAX_CALLS;
  }

  private anyMarker(): string {
    const { prefix } = this.streams.settings;
    return this.idleMarkers.pop() ?? `${prefix}from:${this.instance}:${++this.markers}`;
  }

  /** Takes the lanes of the next call, and moves their waiting events into it. */
  private takeLanes(): readonly Lane[] {
    const most = this.isPerLane ? 1 : CALL_LANES;
    const lanes: Lane[] = [];
    let size = 0;
    for (const lane of this.due) {
      if (lane.isAlone && lanes.length > 0) {
        break;
      }
      this.due.delete(lane);
      lanes.push(lane);
      size += lane.beginCall();
      if (lane.isAlone || lanes.length === most || size >= CALL_SIZE) {
        break;
      }
    }
    return lanes;
  }

  private async send(call: NumberedCall): Promise<void> {
    const free = await call.send();
    if (free) {
      this.calls.delete(call);
      if (!this.isPerLane) {
        this.idleMarkers.push(call.marker);
      }
      free.forEach((lane) => this.proceed(lane));
    }
  }

  /** Sends unanswered calls again, and new calls for waiting events. */
  private sendNow(): void {
    this.calls.forEach((call) => void this.send(call));
    this.makeCalls();
  }

  private onTick(): void {
    const now = monotonicNow();
    for (const lane of this.lanes.values()) {
      lane.giveUp(now, (mayHaveArrived) => this.timedOut(mayHaveArrived));
      this.proceed(lane);
    }
    this.sendNow();
    if (this.lanes.size === 0) {
      clearInterval(this.tick);
      this.tick = undefined;
    }
  }

  private timedOut(mayHaveArrived: boolean): SseError {
    const { connection, settings } = this.streams;
    connection.felt();
    return connection.known(
      new SseError(
        'UNAVAILABLE',
        `Redis at ${connection.address} did not accept an event within ` +
          `${settings.sendTimeout} ms (\`redisStreams.sendTimeout\`)` +
          (mayHaveArrived
            ? '; it may have been delivered, as only the reply may be missing.'
            : '.'),
      ),
    );
  }
}

function ignore(): void {
  // The log tells what failed.
}
