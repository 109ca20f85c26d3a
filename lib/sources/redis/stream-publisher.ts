import { randomBytes } from 'node:crypto';
import { AsyncLocalStorage } from 'node:async_hooks';
import { SseError } from '../../channel/sse-error.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { runScripts, type RedisReply } from './redis-batch.js';
import type { RedisStreams } from './redis-streams.js';
import { refusalOf } from './redis-refusal.js';
import { SendOutage } from './send-outage.js';
import { StreamLane } from './stream-lane.js';

/** How many bytes of events may wait for Redis. */
const MAX_WAITING = 64 * 1_048_576;
/** How often what waits is tried again, and what has waited too long is given up. */
const TICK_MS = 100;
/** How many calls are sent together; Redis works on them while the next are made ready. */
const TOGETHER = 64;

/**
 * Appends events to streams. What is sent to one channel in one turn of the event loop, and
 * while the call before is under way, goes in one call. As there is one call per channel at a
 * time, events keep their order, and a call can be sent again until its reply is known.
 */
export class StreamPublisher {
  private readonly instance = randomBytes(9).toString('base64url');
  private readonly lanes = new Map<string, StreamLane>();
  private readonly due = new Set<StreamLane>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private readonly outage: SendOutage;
  private calls = 0;
  private waitingSize = 0;
  private flush: NodeJS.Immediate | undefined;
  private tick: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly streams: RedisStreams) {
    this.outage = new SendOutage(streams);
  }

  /** Resolves with the id of the event's entry; a rejection that nobody awaits is harmless. */
  publish(key: string, event: OutgoingEvent): Promise<string> {
    const sent = this.enqueue(key, event);
    // `send()` need not be awaited: what fails then is in the log.
    sent.catch(() => undefined);
    return sent;
  }

  /** The connection is back: what waits is tried again at once. */
  retryNow(): void {
    for (const lane of this.lanes.values()) {
      this.due.add(lane);
    }
    this.run();
  }

  /** Sends what waits once more, and gives up what is not accepted. */
  async stop(): Promise<void> {
    const deadline = performance.now() + 1_000;
    while (this.lanes.size > 0 && performance.now() < deadline) {
      this.run();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.stopped = true;
    clearImmediate(this.flush);
    clearInterval(this.tick);
    for (const lane of this.lanes.values()) {
      lane.abandon(new SseError('CLOSED', 'The application is shutting down.'));
    }
    this.lanes.clear();
  }

  private enqueue(key: string, event: OutgoingEvent): Promise<string> {
    if (this.stopped) {
      return Promise.reject(new SseError('CLOSED', 'The application is shutting down.'));
    }
    if (this.waitingSize > MAX_WAITING) {
      const error = new SseError(
        'LIMIT_REACHED',
        `${this.waitingSize} bytes of events wait for Redis already. Send slower, by awaiting send().`,
      );
      this.outage.begin(error.message);
      return Promise.reject(error);
    }
    const lane = this.laneOf(key);
    const sent = lane.add(event, performance.now() + this.streams.settings.sendTimeout);
    this.schedule(lane);
    return sent;
  }

  private laneOf(key: string): StreamLane {
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = new StreamLane(key, (by) => (this.waitingSize += by));
      this.lanes.set(key, lane);
    }
    this.tick ??= this.detach(() => setInterval(() => this.onTick(), TICK_MS));
    return lane;
  }

  private schedule(lane: StreamLane): void {
    if (!lane.isCalling) {
      this.due.add(lane);
      this.flush ??= this.detach(() => setImmediate(() => this.run()));
    }
  }

  private run(): void {
    clearImmediate(this.flush);
    this.flush = undefined;
    const ready = [...this.due].filter((lane) => !lane.inFlight && this.prepare(lane));
    this.due.clear();
    ready.forEach((lane) => (lane.inFlight = true));
    for (let start = 0; start < ready.length; start += TOGETHER) {
      void this.send(ready.slice(start, start + TOGETHER));
    }
  }

  private prepare(lane: StreamLane): boolean {
    lane.prepare(() => ({
      marker: `${lane.key}:from:${this.instance}`,
      number: ++this.calls,
      // A client that is not ours may send a call again on its own.
      once: this.streams.connection.owned,
      limits: this.streams.limits,
    }));
    return lane.isCalling;
  }

  private async send(lanes: readonly StreamLane[]): Promise<void> {
    const replies = await this.call(lanes);
    const isReplicated = this.streams.settings.minReplicas > 0;
    lanes.forEach((lane, index) => {
      const reply = replies[index]!;
      if (isReplicated && 'ok' in reply) {
        void this.confirm(lane, reply);
      } else {
        this.settle(lane, reply);
      }
    });
  }

  private async call(lanes: readonly StreamLane[]): Promise<readonly RedisReply[]> {
    const { connection, server } = this.streams;
    try {
      await server.known();
      const calls = lanes.map((lane) => lane.callWith(server.publishCommand));
      return await runScripts(await connection.client(), calls);
    } catch (error) {
      return lanes.map(() => ({ error: error as Error }));
    }
  }

  /** Settles a lane once its replicas have what was appended, or have not had it in time. */
  private async confirm(lane: StreamLane, reply: RedisReply): Promise<void> {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    const { server } = this.streams;
    const count = await server.waitForReplicas(lane.key, minReplicas, replicaTimeout);
    this.settle(lane, reply, count < minReplicas ? count : undefined);
  }

  /** @param replicas how many have the events, when these are too few */
  private settle(lane: StreamLane, reply: RedisReply, replicas?: number): void {
    lane.inFlight = false;
    if (!('ok' in reply)) {
      this.failed(lane, reply.error);
    } else if (replicas === undefined) {
      this.streams.notePublished(lane.key, lane.appended(String(reply.ok)));
      this.outage.end();
    } else {
      const error = (id: string) => this.outage.tooFewReplicas(id, replicas);
      this.streams.notePublished(lane.key, lane.appended(String(reply.ok), error));
    }
    if (lane.isEmpty) {
      this.remove(lane);
    } else {
      this.schedule(lane);
    }
  }

  private failed(lane: StreamLane, error: Error): void {
    const refusal = refusalOf(error, this.streams.connection.address, lane.key);
    if (refusal) {
      this.outage.begin(refusal.message);
      lane.refused(refusal);
    } else {
      // By the next tick.
      lane.repeat();
    }
  }

  private onTick(): void {
    const now = performance.now();
    for (const lane of this.lanes.values()) {
      lane.giveUp(now, (mayHaveArrived) => this.outage.timedOut(mayHaveArrived));
      if (lane.isEmpty) {
        this.remove(lane);
      } else {
        this.due.add(lane);
      }
    }
    this.run();
  }

  private remove(lane: StreamLane): void {
    this.lanes.delete(lane.key);
    this.due.delete(lane);
    if (this.lanes.size === 0) {
      clearInterval(this.tick);
      this.tick = undefined;
    }
  }
}
