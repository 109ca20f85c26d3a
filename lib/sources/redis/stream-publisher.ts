import { AsyncLocalStorage } from 'node:async_hooks';
import { SseError } from '../../channel/sse-error.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { AppendCall } from './append-call.js';
import { CallMarkers } from './call-markers.js';
import { runScript, type RedisReply } from './redis-batch.js';
import type { RedisStreams } from './redis-streams.js';
import { refusalOf, replyError } from './redis-refusal.js';
import { SendOutage } from './send-outage.js';
import { StreamLane } from './stream-lane.js';

/** How many bytes of events may wait for Redis. */
const MAX_WAITING = 64 * 1_048_576;
/** How often what waits is tried again, and what has waited too long is given up. */
const TICK_MS = 100;
/**
 * For how many channels, and about how many bytes, one call is made. Redis works on it while the
 * next is made ready.
 */
const CALL_LANES = 64;
const CALL_SIZE = 524_288;

/**
 * Appends events to streams. What is sent to one channel in one turn of the event loop, and
 * while the call before is under way, goes in one call, and several channels share it. As a
 * channel is in one call at a time, its events keep their order, and a call can be sent again
 * until its outcome is known.
 */
export class StreamPublisher {
  private readonly lanes = new Map<string, StreamLane>();
  /** The lanes where events wait for a call. */
  private readonly due = new Set<StreamLane>();
  private readonly calls = new Set<AppendCall>();
  private readonly markers: CallMarkers;
  private readonly detach = AsyncLocalStorage.snapshot();
  private readonly outage: SendOutage;
  private waitingSize = 0;
  private flush: NodeJS.Immediate | undefined;
  private tick: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly streams: RedisStreams) {
    this.outage = new SendOutage(streams);
    this.markers = new CallMarkers(streams.settings.prefix, streams.connection.isCluster);
  }

  /** Resolves with the id of the event's entry; a rejection that nobody awaits is harmless. */
  publish(key: string, event: OutgoingEvent): Promise<string> {
    const sent = this.enqueue(key, event);
    // `send()` need not be awaited: what fails then is in the log.
    sent.catch(ignore);
    return sent;
  }

  /** The connection is back: what waits is tried again at once. */
  retryNow(): void {
    this.repeatCalls();
    this.run();
  }

  /** Sends what waits once more, and gives up what is not accepted. */
  async stop(): Promise<void> {
    const deadline = performance.now() + 1_000;
    while (this.lanes.size > 0 && performance.now() < deadline) {
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
      lane = new StreamLane(key, this.resize);
      this.lanes.set(key, lane);
    }
    // It ends by itself when it finds nothing to do: there may be a lane for each event.
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

  /** Makes calls for what waits. */
  private run(): void {
    clearImmediate(this.flush);
    this.flush = undefined;
    for (const { key } of this.due) {
      const marker = this.markers.acquire(key);
      if (!marker) {
        // There is one when the next call is over.
        return;
      }
      const call = new AppendCall(marker, this.takeLanes());
      this.calls.add(call);
      void this.send(call);
    }
  }

  /** The lanes of the next call. Each has its batch from here on. */
  private takeLanes(): StreamLane[] {
    const most = this.streams.connection.isCluster ? 1 : CALL_LANES;
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

  private async send(call: AppendCall): Promise<void> {
    call.inFlight = true;
    const reply = await this.replyTo(call);
    const { minReplicas } = this.streams.settings;
    const replicas = minReplicas > 0 && 'ok' in reply ? await this.replicasOf(call) : Infinity;
    call.inFlight = false;
    if ('ok' in reply) {
      this.end(call);
      this.settle(call.lanes, reply.ok as readonly string[], replicas);
    } else {
      this.failed(call, reply.error);
    }
  }

  private async replyTo(call: AppendCall): Promise<RedisReply> {
    const { connection, server, limits } = this.streams;
    try {
      await server.known();
      const client = await connection.client();
      return await runScript(
        client,
        // A client that is not ours may send a call again on its own.
        call.scriptCall(server.publishCommand, limits, connection.owned),
      );
    } catch (error) {
      return { error: error as Error };
    }
  }

  /** How many replicas have what was appended, once they are enough or have had their time. */
  private replicasOf(call: AppendCall): Promise<number> {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    return this.streams.server.waitForReplicas(call.marker.key, minReplicas, replicaTimeout);
  }

  /** @param replicas how many have the events */
  private settle(lanes: readonly StreamLane[], answers: readonly string[], replicas: number): void {
    const isEnough = replicas >= this.streams.settings.minReplicas;
    const error = isEnough ? undefined : (id: string) => this.outage.tooFewReplicas(id, replicas);
    lanes.forEach((lane, index) => {
      const answer = answers[index]!;
      if (answer.startsWith('!')) {
        this.notAppended(lane, replyError(answer.slice(1)));
        return;
      }
      this.streams.notePublished(lane.key, lane.appended(answer, error));
      if (isEnough) {
        this.outage.end();
      }
      this.proceed(lane);
    });
  }

  /** The call was answered by an error, or by nothing. */
  private failed(call: AppendCall, error: Error): void {
    const refusal = refusalOf(error, this.streams.connection.address, call.lanes[0]!.key);
    if (!refusal) {
      // By the next tick.
      call.isRepeated = true;
      this.dropUnwanted(call);
      return;
    }
    this.end(call);
    if (call.lanes.length > 1 && !call.isRepeated) {
      // Nothing was appended: what is refused of one channel must not keep the others.
      for (const lane of call.lanes) {
        lane.giveBack();
        lane.isAlone = true;
        this.proceed(lane);
      }
    } else {
      call.lanes.forEach((lane) => this.refuse(lane, refusal));
    }
  }

  private notAppended(lane: StreamLane, error: Error): void {
    const refusal = refusalOf(error, this.streams.connection.address, lane.key);
    if (refusal) {
      this.refuse(lane, refusal);
    } else {
      // By the next tick.
      lane.giveBack();
    }
  }

  private refuse(lane: StreamLane, refusal: SseError): void {
    this.outage.begin(refusal.message);
    lane.refused(refusal);
    this.proceed(lane);
  }

  /** A call for which nobody waits any more is not sent again. */
  private dropUnwanted(call: AppendCall): void {
    if (!call.isWanted) {
      this.end(call);
      for (const lane of call.lanes) {
        lane.drop();
        this.proceed(lane);
      }
    }
  }

  private end(call: AppendCall): void {
    this.calls.delete(call);
    this.markers.release(call.marker);
    if (this.due.size > 0) {
      this.runSoon();
    }
  }

  /** The lane is in no call any more. */
  private proceed(lane: StreamLane): void {
    if (lane.isEmpty) {
      this.remove(lane);
    } else {
      this.schedule(lane);
    }
  }

  private repeatCalls(): void {
    for (const call of this.calls) {
      if (!call.inFlight) {
        void this.send(call);
      }
    }
  }

  private onTick(): void {
    if (this.lanes.size === 0) {
      clearInterval(this.tick);
      this.tick = undefined;
      return;
    }
    const now = performance.now();
    for (const lane of this.lanes.values()) {
      lane.giveUp(now, (mayHaveArrived) => this.outage.timedOut(mayHaveArrived));
    }
    for (const call of this.calls) {
      if (!call.inFlight) {
        this.dropUnwanted(call);
      }
    }
    for (const lane of this.lanes.values()) {
      this.proceed(lane);
    }
    this.repeatCalls();
    this.run();
  }

  private remove(lane: StreamLane): void {
    this.lanes.delete(lane.key);
    this.due.delete(lane);
  }
}

function ignore(): void {
  // What went wrong is in the log.
}
