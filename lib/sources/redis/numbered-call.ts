import { SseError } from '../../channel/sse-error.js';
import type { Lane } from './lane.js';
import { AGAIN } from './lua/lua.generated.js';
import type { LastPublished } from './published-events.js';
import { callScript, type RedisScript } from './redis-call.js';
import { refusalOf, replyError } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import type { EventText } from './stream-entry.js';

/** One kind of call: what it sends to Redis, and what the answers mean. */
export interface CallKind {
  /**
   * The script. KEYS: the marker, then the keys of each lane. ARGV: the number of the call, PUBLISH
   * or SPUBLISH, the number of `last` and how many ms ago it was, `args`, then those of the lanes.
   */
  readonly script: RedisScript;
  /** Whether each call takes one lane, with a marker of its own. In a Cluster every call does. */
  readonly isPerLane: boolean;
  readonly args: readonly (string | number)[];
  /**
   * Whether what a failover loses comes again by itself: a call then waits for no replicas, and is
   * repeated for as long as there is no answer.
   */
  readonly isDeclarative?: boolean;
  /** Writes the events of each lane as the script takes them. */
  argsOf(lanes: readonly (readonly EventText[])[]): readonly string[];
  /** The last answered call with the lane's own marker, which the server must still know. */
  last?(keys: readonly string[]): LastPublished | undefined;
  /**
   * Takes over the answer for a lane.
   * @returns for each of `count` events its id, or its name in errors, or the error that refuses it
   */
  outcomes(
    keys: readonly string[],
    answer: string,
    number: number,
    count: number,
  ): readonly (string | SseError)[];
}

/** One run of a script, for the events of one or several lanes. It never changes, however often we send it. */
export class NumberedCall {
  private readonly texts: readonly string[];
  private isUnderWay = false;
  /** Whether we have sent it before, so that it may have arrived. */
  private mayHaveArrived = false;

  /**
   * @param number higher than that of each call before; tells Redis whether it has run the call already
   * @param marker the key under which Redis notes number and answers; no other call uses it meanwhile
   */
  constructor(
    private readonly streams: RedisStreams,
    private readonly kind: CallKind,
    private readonly number: number,
    readonly marker: string,
    private readonly lanes: readonly Lane[],
  ) {
    this.texts = kind.argsOf(lanes.map(({ events }) => events));
  }

  /**
   * Sends the call, unless it is under way.
   * @returns the lanes that can go on at once when the call is over; else `undefined`
   */
  async send(): Promise<readonly Lane[] | undefined> {
    if (this.isUnderWay) {
      return undefined;
    }
    if (!this.isWanted) {
      return this.givenBack();
    }
    this.isUnderWay = true;
    try {
      const answers = await this.answers();
      const { minReplicas, replicaTimeout } = this.streams.settings;
      const replicas =
        minReplicas > 0 && !this.kind.isDeclarative
          ? await this.streams.server.waitForReplicas(this.marker, minReplicas, replicaTimeout)
          : Infinity;
      return this.lanes.filter((lane, nth) => this.settle(lane, answers[nth]!, replicas));
    } catch (error) {
      return this.failed(error as Error);
    } finally {
      this.isUnderWay = false;
    }
  }

  private get isWanted(): boolean {
    return this.lanes.some((lane) => lane.isWanted);
  }

  private async answers(): Promise<readonly string[]> {
    const { server, connection } = this.streams;
    await server.known();
    const last = this.kind.last?.(this.lanes[0]!.keys);
    const before = [last?.number ?? 0, Math.ceil(last?.ago ?? 0)];
    const keys = [this.marker];
    for (const lane of this.lanes) {
      keys.push(...lane.callKeys);
    }
    const answers = await callScript(connection, {
      script: this.kind.script,
      keys,
      args: [this.number, server.publishCommand, ...before, ...this.kind.args, ...this.texts],
    });
    return answers as readonly string[];
  }

  /** Takes over the answer for a lane. Returns whether the lane can go on at once. */
  private settle(lane: Lane, answer: string, replicas: number): boolean {
    if (answer.startsWith('!')) {
      const refusal = this.refusalOf(replyError(answer.slice(1)), lane);
      if (!refusal) {
        // The server cannot take it for now.
        lane.giveBack();
        return false;
      }
      lane.settle(lane.events.map(() => refusal));
      return true;
    }
    const outcomes = this.kind.outcomes(lane.keys, answer, this.number, lane.events.length);
    lane.settle(
      replicas >= this.streams.settings.minReplicas
        ? outcomes
        : outcomes.map((id) => (id instanceof Error ? id : this.tooFewReplicas(id, replicas))),
    );
    return true;
  }

  /** The call as a whole got an error, or no answer. */
  private failed(error: Error): readonly Lane[] | undefined {
    const refusal = this.refusalOf(error, this.lanes[0]!);
    if (!refusal) {
      this.mayHaveArrived = true;
      return this.isWanted ? undefined : this.givenBack();
    }
    if (this.lanes.length > 1 && !this.mayHaveArrived) {
      // One lane's refusal must not stop the others, so each gets a call of its own.
      this.lanes.forEach((lane) => (lane.isAlone = true));
      return this.givenBack();
    }
    this.lanes.forEach((lane) => lane.settle(lane.events.map(() => refusal)));
    return this.lanes;
  }

  private givenBack(): readonly Lane[] {
    this.lanes.forEach((lane) => lane.giveBack());
    return this.lanes;
  }

  private refusalOf(error: Error, { keys }: Lane): SseError | undefined {
    return refusalOf(error, this.streams.connection.address, keys[0]!);
  }

  private tooFewReplicas(id: string, count: number): SseError {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    return new SseError(
      'UNAVAILABLE',
      `${count} of ${minReplicas} replicas (\`redisStreams.minReplicas\`) had the event ` +
        `${id.replace(AGAIN, '')} within ${replicaTimeout} ms. It has been delivered, but a failover may lose it.`,
    );
  }
}
