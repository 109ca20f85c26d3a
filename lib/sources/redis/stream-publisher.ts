import { AsyncLocalStorage } from 'node:async_hooks';
import { monotonicNow } from '../../channel/clock.js';
import { SseError } from '../../channel/sse-error.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { NumberedCalls, type BatchOutcome, type TakenOutcome } from './numbered-calls.js';
import type { CallKind } from './call-kind.js';
import type { RedisStreams } from './redis-streams.js';
import { sendTimedOut, tooFewReplicas } from './send-errors.js';
import { StreamLane } from './stream-lane.js';

/** How many bytes of events may wait for Redis. */
const MAX_WAITING_BYTES = 64 * 1_048_576;
/** How often we send again what waits, and give up what has waited too long. */
const TICK_MS = 100;
/**
 * For how many channels, and about how many bytes, one call is made. Redis works on it while the
 * next is made ready.
 */
const CALL_LANES = 64;
const CALL_SIZE = 524_288;

/**
 * Brings events to Redis, by calls of one kind. What is sent to one channel in one turn of the event loop, and
 * while the call before is under way, goes in one call, and several channels share it. As a
 * channel is in one call at a time, its events keep their order, and a call can be sent again
 * until its outcome is known.
 */
export class StreamPublisher {
  private readonly lanes = new Map<string, StreamLane>();
  /** The lanes where events wait for a call. */
  private readonly due = new Set<StreamLane>();
  private readonly calls: NumberedCalls;
  private readonly detach = AsyncLocalStorage.snapshot();
  private waitingSize = 0;
  private flush: NodeJS.Immediate | undefined;
  private tick: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly streams: RedisStreams,
    private readonly kind: CallKind,
  ) {
    this.calls = new NumberedCalls(streams, kind, this.settle);
  }

  /**
   * Resolves with the event's id, once Redis has it; a rejection that nobody awaits is harmless.
   *
   * @param key tells the lane of the event, in which order is kept
   * @param others the other keys that the lane's calls name
   */
  publish(key: string, event: OutgoingEvent, ...others: readonly string[]): Promise<string> {
    const sent = this.enqueue(key, others, event);
    // `send()` need not be awaited: what fails then is in the log.
    sent.catch(ignore);
    return sent;
  }

  /** The key under which Redis notes the last call of a lane, where each has its own. */
  markerOf(key: string): string {
    return this.calls.markerOf(key);
  }

  /** The connection is back: sends what waits at once. */
  retryNow(): void {
    this.calls.repeat();
    this.run();
  }

  /** Sends what waits once more, and gives up what is not accepted. */
  async stop(): Promise<void> {
    const deadline = monotonicNow() + 1_000;
    while (this.lanes.size > 0 && monotonicNow() < deadline) {
      this.retryNow();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.stopped = true;
    clearImmediate(this.flush);
    clearInterval(this.tick);
    for (const lane of this.lanes.values()) {
      lane.abandon(new SseError('CLOSED', 'The application is shutting down.'));
    }
    this.lanes.clear();
    this.due.clear();
  }

  private enqueue(key: string, others: readonly string[], event: OutgoingEvent): Promise<string> {
    if (this.stopped) {
      return Promise.reject(new SseError('CLOSED', 'The application is shutting down.'));
    }
    if (this.waitingSize > MAX_WAITING_BYTES) {
      const error = new SseError(
        'LIMIT_REACHED',
        `${this.waitingSize} bytes of events wait for Redis already. Send slower, by awaiting send().`,
      );
      return Promise.reject(error);
    }
    const lane = this.laneOf(key, others);
    const sent = lane.add(event, monotonicNow() + this.streams.settings.sendTimeout);
    this.schedule(lane);
    return sent;
  }

  private laneOf(key: string, others: readonly string[]): StreamLane {
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = new StreamLane([key, ...others], (events) => this.kind.batchOf(events), this.resize);
      this.lanes.set(key, lane);
    }
    // The timer ends when there is no lane: each event may have a lane of its own.
    this.tick ??= this.detach(() => setInterval(() => this.onTick(), TICK_MS));
    return lane;
  }

  private readonly resize = (by: number): void => {
    this.waitingSize += by;
  };

  private schedule(lane: StreamLane): void {
    if (!lane.batch) {
      this.due.add(lane);
      this.runSoon();
    }
  }

  private runSoon(): void {
    this.flush ??= this.detach(() => setImmediate(() => this.run()));
  }

  /** Makes calls for what waits, as long as there is room. */
  private run(): void {
    clearImmediate(this.flush);
    this.flush = undefined;
    while (this.due.size > 0 && this.calls.hasRoom) {
      this.calls.make(this.takeLanes());
    }
  }

  /** The lanes of the next call. Each has its batch from here on. */
  private takeLanes(): StreamLane[] {
    const most = this.kind.isPerLane || this.streams.connection.isCluster ? 1 : CALL_LANES;
    const lanes: StreamLane[] = [];
    let size = 0;
    for (const lane of this.due) {
      if (lane.isAlone && lanes.length > 0) {
        break;
      }
      this.due.delete(lane);
      lanes.push(lane);
      size += lane.take();
      if (lane.isAlone || lanes.length === most || size >= CALL_SIZE) {
        break;
      }
    }
    return lanes;
  }

  private readonly settle = (lane: StreamLane, outcome: BatchOutcome): void => {
    switch (outcome.what) {
      case 'taken':
        this.taken(lane, outcome);
        break;
      case 'refused':
        lane.refused(outcome.refusal);
        break;
      case 'later':
        lane.giveBack();
        // The next tick makes another call.
        return;
      case 'alone':
        lane.giveBack();
        lane.isAlone = true;
        break;
      case 'unwanted':
        lane.drop();
    }
    this.proceed(lane);
  };

  private taken(lane: StreamLane, { answer, number, replicas }: TakenOutcome): void {
    const isEnough = replicas >= this.streams.settings.minReplicas;
    const error = isEnough ? undefined : (id: string) => tooFewReplicas(this.streams, id, replicas);
    this.kind.taken(lane, answer, number, error);
  }

  /** The lane is in no call. */
  private proceed(lane: StreamLane): void {
    if (lane.isEmpty) {
      this.lanes.delete(lane.key);
      this.due.delete(lane);
    } else {
      this.schedule(lane);
    }
    // There may be room for one more call.
    if (this.due.size > 0) {
      this.runSoon();
    }
  }

  private onTick(): void {
    if (this.lanes.size === 0) {
      clearInterval(this.tick);
      this.tick = undefined;
      return;
    }
    const now = monotonicNow();
    for (const lane of this.lanes.values()) {
      lane.giveUp(now, (mayHaveArrived) => sendTimedOut(this.streams, mayHaveArrived));
    }
    this.calls.repeat();
    for (const lane of this.lanes.values()) {
      this.proceed(lane);
    }
    this.run();
  }
}

function ignore(): void {
  // What went wrong is in the log.
}
