import type { SseError } from '../../channel/sse-error.js';
import { AppendCall } from './append-call.js';
import type { CallKind } from './call-kind.js';
import { CallMarkers } from './call-markers.js';
import { runScript, type RedisReply } from './redis-batch.js';
import { refusalOf, replyError } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import type { StreamLane } from './stream-lane.js';

/** The batch was taken: the script's answer, the call's number, and how many replicas have it. */
export interface TakenOutcome {
  readonly what: 'taken';
  readonly answer: string;
  readonly number: number;
  readonly replicas: number;
}

/** What became of the batch of a lane. */
export type BatchOutcome =
  | TakenOutcome
  | { readonly what: 'refused'; readonly refusal: SseError }
  /** It was not taken, as the server cannot for now. */
  | { readonly what: 'later' }
  /** It was not taken, as something was refused of its call: it is to have one of its own. */
  | { readonly what: 'alone' }
  /** Nobody knows, and nobody waits for it any more. */
  | { readonly what: 'unwanted' };

/** The calls that are under way. Each is sent until its outcome is known or of no interest. */
export class AppendCalls {
  private readonly calls = new Set<AppendCall>();
  readonly markers: CallMarkers;

  constructor(
    private readonly streams: RedisStreams,
    private readonly kind: CallKind,
    private readonly onOutcome: (lane: StreamLane, outcome: BatchOutcome) => void,
  ) {
    this.markers = new CallMarkers(
      streams.settings.prefix,
      kind.isPerLane || streams.connection.isCluster,
    );
  }

  /**
   * Makes a call for the lanes that are given, the first of which has this key. False when there
   * are too many calls: there is room once the next outcome is known.
   */
  begin(key: string, lanes: () => readonly StreamLane[]): boolean {
    const marker = this.markers.acquire(key);
    if (!marker) {
      return false;
    }
    const call = new AppendCall(this.kind, marker, lanes());
    this.calls.add(call);
    void this.send(call);
    return true;
  }

  /** Sends what was not answered once more, as far as somebody waits for it. */
  repeat(): void {
    for (const call of this.calls) {
      if (!call.inFlight && !this.dropUnwanted(call)) {
        void this.send(call);
      }
    }
  }

  private async send(call: AppendCall): Promise<void> {
    call.inFlight = true;
    const reply = await this.replyTo(call);
    const { minReplicas } = this.streams.settings;
    const replicas = minReplicas > 0 && 'ok' in reply ? await this.replicasOf(call) : Infinity;
    call.inFlight = false;
    if ('ok' in reply) {
      const answers = reply.ok as readonly string[];
      this.end(call, (index) => this.outcomeOf(call, index, answers[index]!, replicas));
    } else {
      this.failed(call, reply.error);
    }
  }

  private async replyTo(call: AppendCall): Promise<RedisReply> {
    const { connection, server } = this.streams;
    try {
      await server.known();
      const client = await connection.client();
      return await runScript(client, call.scriptCall(server.publishCommand));
    } catch (error) {
      return { error: error as Error };
    }
  }

  /** How many replicas have what was taken, once they are enough or have had their time. */
  private replicasOf(call: AppendCall): Promise<number> {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    return this.streams.server.waitForReplicas(call.marker.key, minReplicas, replicaTimeout);
  }

  private outcomeOf(
    { marker: { number }, lanes }: AppendCall,
    index: number,
    answer: string,
    replicas: number,
  ): BatchOutcome {
    if (!answer.startsWith('!')) {
      return { what: 'taken', answer, number, replicas };
    }
    const refusal = this.refusalOf(replyError(answer.slice(1)), lanes[index]!);
    return refusal ? { what: 'refused', refusal } : { what: 'later' };
  }

  /** The call as a whole was answered by an error, or by nothing. */
  private failed(call: AppendCall, error: Error): void {
    const refusal = this.refusalOf(error, call.lanes[0]!);
    if (!refusal) {
      call.isRepeated = true;
      this.dropUnwanted(call);
    } else if (call.lanes.length > 1 && !call.isRepeated) {
      // What is refused of one channel must not keep the others.
      this.end(call, () => ({ what: 'alone' }));
    } else {
      this.end(call, () => ({ what: 'refused', refusal }));
    }
  }

  private refusalOf(error: Error, lane: StreamLane): SseError | undefined {
    return refusalOf(error, this.streams.connection.address, lane.key);
  }

  private dropUnwanted(call: AppendCall): boolean {
    const { isWanted } = call;
    if (!isWanted) {
      this.end(call, () => ({ what: 'unwanted' }));
    }
    return !isWanted;
  }

  private end(call: AppendCall, outcomeOf: (index: number) => BatchOutcome): void {
    this.calls.delete(call);
    this.markers.release(call.marker);
    call.lanes.forEach((lane, index) => this.onOutcome(lane, outcomeOf(index)));
  }
}
