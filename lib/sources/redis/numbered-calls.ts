import { randomBytes } from 'node:crypto';
import type { SseError } from '../../channel/sse-error.js';
import type { CallKind } from './call-kind.js';
import { runScript, type RedisReply, type ScriptCall } from './redis-batch.js';
import { refusalOf, replyError } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import type { StreamLane } from './stream-lane.js';

/** How many calls are under way at a time where a marker serves any lane. */
const MAX_CALLS = 64;

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

/**
 * One run of the script, for the batches of one or several lanes. It stays the same however often
 * it is sent.
 */
interface NumberedCall {
  /** The key under which Redis notes the number and the answers of the last call. */
  readonly marker: string;
  /** Higher than that of every call before: it tells Redis whether the call was made already. */
  readonly number: number;
  readonly lanes: readonly StreamLane[];
  /** Whether a reply is awaited. */
  inFlight: boolean;
  /** Whether it was sent before, and nobody knows whether it has arrived. */
  isRepeated: boolean;
}

/** The calls that are under way. Each is sent until its outcome is known or of no interest. */
export class NumberedCalls {
  private readonly calls = new Set<NumberedCall>();
  private readonly instance = randomBytes(9).toString('base64url');
  /** A marker is used by one call at a time. A Cluster wants it in the slot of the call's lane. */
  private readonly isPerLane: boolean;
  private readonly idle: string[] = [];
  private markers = 0;
  private number = 0;

  constructor(
    private readonly streams: RedisStreams,
    private readonly kind: CallKind,
    private readonly onOutcome: (lane: StreamLane, outcome: BatchOutcome) => void,
  ) {
    this.isPerLane = kind.isPerLane || streams.connection.isCluster;
  }

  /** Whether one more call may begin. If not, there is room once the next outcome is known. */
  get hasRoom(): boolean {
    return this.isPerLane || this.idle.length > 0 || this.markers < MAX_CALLS;
  }

  /** Makes a call for the batches of these lanes; only while there is room. */
  make(lanes: readonly StreamLane[]): void {
    const marker = this.isPerLane ? this.markerOf(lanes[0]!.key) : this.anyMarker();
    const number = ++this.number;
    const call: NumberedCall = { marker, number, lanes, inFlight: false, isRepeated: false };
    this.calls.add(call);
    void this.send(call);
  }

  /** The key of the marker that only this lane has. */
  markerOf(lane: string): string {
    return `${lane}:from:${this.instance}`;
  }

  private anyMarker(): string {
    const { prefix } = this.streams.settings;
    return this.idle.pop() ?? `${prefix}from:${this.instance}:${++this.markers}`;
  }

  /** Sends what was not answered once more, as far as somebody waits for it. */
  repeat(): void {
    for (const call of this.calls) {
      if (!call.inFlight && !this.dropUnwanted(call)) {
        void this.send(call);
      }
    }
  }

  private scriptCall({ marker, number, lanes }: NumberedCall): ScriptCall {
    const { script } = this.kind;
    const { publishCommand } = this.streams.server;
    const keys = [marker];
    const args = [number, publishCommand, ...this.kind.args(lanes[0]!)];
    for (const lane of lanes) {
      keys.push(...lane.keys);
      args.push(...lane.batch!);
    }
    return { script, keys, args };
  }

  private async send(call: NumberedCall): Promise<void> {
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

  private async replyTo(call: NumberedCall): Promise<RedisReply> {
    const { connection, server } = this.streams;
    try {
      await server.known();
      const client = await connection.client();
      return await runScript(client, this.scriptCall(call));
    } catch (error) {
      return { error: error as Error };
    }
  }

  /** How many replicas have what was taken, once they are enough or have had their time. */
  private replicasOf(call: NumberedCall): Promise<number> {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    return this.streams.server.waitForReplicas(call.marker, minReplicas, replicaTimeout);
  }

  private outcomeOf(
    { number, lanes }: NumberedCall,
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
  private failed(call: NumberedCall, error: Error): void {
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

  /** Ends a call whose outcome nobody waits for any more. */
  private dropUnwanted(call: NumberedCall): boolean {
    const isWanted = call.lanes.some((lane) => lane.isWanted);
    if (!isWanted) {
      this.end(call, () => ({ what: 'unwanted' }));
    }
    return !isWanted;
  }

  private end(call: NumberedCall, outcomeOf: (index: number) => BatchOutcome): void {
    this.calls.delete(call);
    if (!this.isPerLane) {
      this.idle.push(call.marker);
    }
    call.lanes.forEach((lane, index) => this.onOutcome(lane, outcomeOf(index)));
  }
}
