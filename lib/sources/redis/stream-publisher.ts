import { randomBytes } from 'node:crypto';
import { AsyncLocalStorage } from 'node:async_hooks';
import { SseError } from '../../channel/sse-error.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { runScripts, type RedisReply, type ScriptCall } from './redis-batch.js';
import type { RedisStreams } from './redis-streams.js';
import { refusalOf } from './redis-refusal.js';
import { SendOutage } from './send-outage.js';
import { lengthsOf, metaOf } from './stream-entry.js';
import { laterStreamId } from './stream-id.js';
import { APPEND } from './stream-scripts.js';

/** How many events, and about how many bytes of them, one call of the script takes. */
const BATCH_EVENTS = 500;
const BATCH_SIZE = 1_048_576;
/** How many bytes of events may wait for Redis. */
const MAX_WAITING = 64 * 1_048_576;
/** How often what waits is tried again, and what has waited too long is given up. */
const TICK_MS = 100;
/** How many calls are sent together; Redis works on them while the next are made ready. */
const TOGETHER = 64;
/** The first and the third argument of the script, and what the latter says. */
const COMMAND = 0;
const KIND = 2;
const FIRST_TIME = 'first';
const AGAIN = 'again';

interface Sending {
  readonly meta: string;
  readonly data: string;
  readonly deadline: number;
  readonly resolve: (id: string) => void;
  readonly reject: (error: SseError) => void;
  settled: boolean;
}

type AppendCall = ScriptCall & { readonly args: (string | number)[] };

/** The events of one channel on their way to its stream. */
interface Lane {
  readonly key: string;
  waiting: Sending[];
  /** What the script is being called with. It stays the same however often it is sent. */
  batch: { readonly sendings: readonly Sending[]; readonly call: AppendCall } | undefined;
  inFlight: boolean;
}

/**
 * Appends events to streams. What is sent to one channel in one turn of the event loop, and
 * while the call before is under way, goes in one call. As there is one call per channel at a
 * time, events keep their order, and a call can be sent again until its reply is known.
 */
export class StreamPublisher {
  private readonly instance = randomBytes(9).toString('base64url');
  private readonly lanes = new Map<string, Lane>();
  private readonly due = new Set<Lane>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private calls = 0;
  private waitingSize = 0;
  private flush: NodeJS.Immediate | undefined;
  private tick: NodeJS.Timeout | undefined;
  private stopped = false;

  private readonly outage: SendOutage;

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
      if (!lane.inFlight) {
        this.due.add(lane);
      }
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
      this.abandon(lane, new SseError('CLOSED', 'The application is shutting down.'));
    }
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
    return new Promise((resolve, reject) => {
      const meta = metaOf(event);
      const { data } = event;
      const deadline = performance.now() + this.streams.settings.sendTimeout;
      const lane = this.laneOf(key);
      lane.waiting.push({ meta, data, deadline, resolve, reject, settled: false });
      this.waitingSize += meta.length + data.length;
      this.schedule(lane);
    });
  }

  private laneOf(key: string): Lane {
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = { key, waiting: [], batch: undefined, inFlight: false };
      this.lanes.set(key, lane);
    }
    this.tick ??= this.detach(() => setInterval(() => this.onTick(), TICK_MS));
    return lane;
  }

  private schedule(lane: Lane): void {
    if (lane.batch) {
      return;
    }
    this.due.add(lane);
    this.flush ??= this.detach(() => setImmediate(() => this.run()));
  }

  private run(): void {
    clearImmediate(this.flush);
    this.flush = undefined;
    const lanes = [...this.due];
    this.due.clear();
    for (const lane of lanes) {
      lane.batch ??= this.nextBatch(lane);
    }
    const ready = lanes.filter((lane) => lane.batch && !lane.inFlight);
    if (ready.length > 0) {
      ready.forEach((lane) => (lane.inFlight = true));
      for (let start = 0; start < ready.length; start += TOGETHER) {
        void this.send(ready.slice(start, start + TOGETHER));
      }
    }
  }

  private nextBatch(lane: Lane): Lane['batch'] {
    let [count, size] = [0, 0];
    while (count < lane.waiting.length && count < BATCH_EVENTS && size < BATCH_SIZE) {
      size += lane.waiting[count++]!.data.length;
    }
    if (count === 0) {
      return undefined;
    }
    const sendings = lane.waiting.slice(0, count);
    lane.waiting = lane.waiting.slice(count);
    const parts = sendings.flatMap(({ meta, data }) => [meta, data]);
    const [events, age, bytes] = this.streams.limits;
    return {
      sendings,
      call: {
        script: APPEND,
        keys: [lane.key, `${lane.key}:from:${this.instance}`],
        args: [
          '',
          ++this.calls,
          // A client that is not ours may send a call again on its own.
          this.streams.connection.owned ? FIRST_TIME : AGAIN,
          events,
          age,
          bytes,
          lengthsOf(parts),
          ...parts,
        ],
      },
    };
  }

  private async send(lanes: readonly Lane[]): Promise<void> {
    const replies = await this.call(lanes.map((lane) => lane.batch!.call));
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

  private async call(calls: readonly AppendCall[]): Promise<readonly RedisReply[]> {
    const { server } = this.streams;
    try {
      await server.known();
      calls.forEach(({ args }) => (args[COMMAND] = server.publishCommand));
      return await runScripts(await this.streams.connection.client(), calls);
    } catch (error) {
      return calls.map(() => ({ error: error as Error }));
    }
  }

  /** Settles a lane once its replicas have what was appended, or have not had it in time. */
  private async confirm(lane: Lane, reply: RedisReply): Promise<void> {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    const { server } = this.streams;
    const count = await server.waitForReplicas(lane.key, minReplicas, replicaTimeout);
    this.settle(lane, reply, count < minReplicas ? count : undefined);
  }

  /** @param replicas how many have the events, when these are too few */
  private settle(lane: Lane, reply: RedisReply, replicas?: number): void {
    lane.inFlight = false;
    const { sendings } = lane.batch!;
    if ('ok' in reply) {
      const first = String(reply.ok);
      this.streams.notePublished(lane.key, laterStreamId(first, sendings.length - 1));
      sendings.forEach((sending, index) => {
        const id = laterStreamId(first, index);
        if (replicas === undefined) {
          this.finish(sending, () => sending.resolve(id));
        } else {
          this.finish(sending, () => sending.reject(this.outage.tooFewReplicas(id, replicas)));
        }
      });
      if (replicas === undefined) {
        this.outage.end();
      }
      lane.batch = undefined;
    } else {
      const refusal = refusalOf(reply.error, this.streams.connection.address, lane.key);
      if (refusal) {
        this.outage.begin(refusal.message);
        sendings.forEach((sending) => this.finish(sending, () => sending.reject(refusal)));
        lane.batch = undefined;
      } else if (sendings.every(({ settled }) => settled)) {
        lane.batch = undefined;
      } else {
        // Sent again by the next tick: nobody knows whether it has arrived.
        lane.batch!.call.args[KIND] = AGAIN;
        return;
      }
    }
    if (lane.waiting.length > 0) {
      this.schedule(lane);
    } else {
      this.remove(lane);
    }
  }

  private onTick(): void {
    const now = performance.now();
    for (const lane of this.lanes.values()) {
      this.giveUp(lane, now);
      if (!lane.inFlight) {
        this.due.add(lane);
      }
      if (!lane.batch && lane.waiting.length === 0) {
        this.remove(lane);
      }
    }
    this.run();
  }

  private giveUp(lane: Lane, now: number): void {
    for (const sending of lane.batch?.sendings ?? []) {
      if (sending.deadline <= now) {
        this.finish(sending, () => sending.reject(this.outage.timedOut(true)));
      }
    }
    if (lane.batch && !lane.inFlight && lane.batch.sendings.every(({ settled }) => settled)) {
      lane.batch = undefined;
    }
    const late = lane.waiting.findIndex(({ deadline }) => deadline > now);
    const gone = lane.waiting.splice(0, late < 0 ? lane.waiting.length : late);
    for (const sending of gone) {
      this.finish(sending, () => sending.reject(this.outage.timedOut(false)));
    }
  }

  private abandon(lane: Lane, error: SseError): void {
    for (const sending of [...(lane.batch?.sendings ?? []), ...lane.waiting]) {
      this.finish(sending, () => sending.reject(error));
    }
    this.lanes.delete(lane.key);
  }

  private finish(sending: Sending, settle: () => void): void {
    if (!sending.settled) {
      sending.settled = true;
      this.waitingSize -= sending.meta.length + sending.data.length;
      settle();
    }
  }

  private remove(lane: Lane): void {
    this.lanes.delete(lane.key);
    this.due.delete(lane);
    if (this.lanes.size === 0) {
      clearInterval(this.tick);
      this.tick = undefined;
    }
  }
}
