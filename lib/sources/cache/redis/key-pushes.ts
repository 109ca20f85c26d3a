import { refuseAsPosition } from '../../../channel/event-check.js';
import type { SseError } from '../../../channel/sse-error.js';
import type { CallKind } from '../../redis/numbered-call.js';
import { NumberedCalls } from '../../redis/numbered-calls.js';
import { PublishedEvents, type LastPublished } from '../../redis/published-events.js';
import { callScript } from '../../redis/redis-call.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import type { EventText } from '../../redis/stream-entry.js';
import { isStreamId } from '../../redis/stream-id.js';
import type { KeyEvent } from '../key-store.js';
import { PUSH, WAS_LOST } from './lua/lua.generated.js';
import { tooManyWaiting, waitingKey, waitingText } from '../waiting-event.js';

/** The end of an answer when the server has lost a call that it had answered. */
const LOST = 'L';

/**
 * Lets events wait beside their keys. It sends each call until the server answers it. After an outage
 * the server must still know the calls that it answered; if it does not, readers get a reset.
 */
export class KeyPushes implements CallKind {
  readonly script = PUSH;
  readonly isPerLane = true;
  readonly args: readonly number[];
  private readonly calls: NumberedCalls;
  /** For each key, the number of the last answered call. */
  private readonly answered: PublishedEvents;
  private readonly offAudit: () => void;

  /**
   * @param maxWaiting the most events that wait for one key
   * @param waitingTtl how long they wait, in milliseconds
   * @param streamKey gives the stream of a key
   */
  constructor(
    private readonly streams: RedisStreams,
    private readonly maxWaiting: number,
    waitingTtl: number,
    private readonly streamKey: (key: string) => string,
  ) {
    this.args = [maxWaiting, waitingTtl];
    this.calls = new NumberedCalls(streams, this);
    this.answered = new PublishedEvents(streams.settings.retain.age, (key, number) =>
      this.verify(key, number),
    );
    this.offAudit = streams.onAudit(() => this.answered.verifyAll());
  }

  /**
   * Resolves once the event waits.
   * @throws SseError `LIMIT_REACHED`, `UNAVAILABLE`, `CLOSED`
   */
  async push(key: string, event: KeyEvent): Promise<void> {
    if (event.id !== undefined && isStreamId(event.id)) {
      refuseAsPosition(event.id, 'of a Redis stream');
    }
    await this.calls.publish(event, waitingKey(key), key, this.streamKey(key));
  }

  async stop(): Promise<void> {
    await this.calls.stop();
    this.offAudit();
  }

  argsOf([events]: readonly (readonly EventText[])[]): readonly string[] {
    return events!.map(waitingText);
  }

  last(keys: readonly string[]): LastPublished | undefined {
    return this.answered.lastOf(keys[1]!);
  }

  outcomes(
    keys: readonly string[],
    answer: string,
    number: number,
    count: number,
  ): readonly (string | SseError)[] {
    const key = keys[1]!;
    if (answer.endsWith(LOST)) {
      this.reportLoss(key);
    }
    this.answered.note(key, String(number), number);
    return Array.from(answer.slice(0, count), (taken) =>
      taken === '1' ? `for the key ${JSON.stringify(key)}` : tooManyWaiting(key, this.maxWaiting),
    );
  }

  private async verify(key: string, number: string): Promise<void> {
    const { server, connection } = this.streams;
    await server.known();
    const ago = Math.ceil(this.answered.lastOf(key)?.ago ?? 0);
    const wasLost = await callScript(connection, {
      script: WAS_LOST,
      keys: [this.calls.markerOf(waitingKey(key)), this.streamKey(key)],
      args: [number, server.publishCommand, ago],
    });
    if (wasLost === 1) {
      this.answered.forget(key, number);
      this.reportLoss(key);
    }
  }

  private reportLoss(key: string): void {
    const name = JSON.stringify(key);
    const what = 'that had not reached every reader';
    this.streams.gatheredLog.note(name, {
      level: 'warn',
      cause: 'values were lost',
      line: `Redis has lost values of the key ${name} ${what}. Its clients receive sse:reset.`,
      several: (count, keys) =>
        `Redis has lost values of ${count} keys ${what}: ${keys}. Their clients receive sse:reset.`,
    });
  }
}
