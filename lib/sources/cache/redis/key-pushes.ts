import { refuseAsPosition } from '../../../channel/event-check.js';
import type { SseError } from '../../../channel/sse-error.js';
import type { CallKind } from '../../redis/call-kind.js';
import { PublishedEvents } from '../../redis/published-events.js';
import { runScript } from '../../redis/redis-batch.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import type { EventText } from '../../redis/stream-entry.js';
import { isStreamId } from '../../redis/stream-id.js';
import type { Batch, StreamLane } from '../../redis/stream-lane.js';
import { StreamPublisher } from '../../redis/stream-publisher.js';
import type { KeyEvent } from '../key-store.js';
import { PUSH, WAS_LOST } from './lua/lua.generated.js';
import { tooManyWaiting, waitingKey, waitingText } from '../waiting-event.js';

/** What an answer ends with when the server has lost what it had answered before. */
const LOST = 'L';

/**
 * Lets events wait beside their keys. Each call is sent until the server answers it. After an outage
 * the server must still know the calls that it answered; if it does not, readers get a reset.
 */
export class KeyPushes implements CallKind {
  readonly script = PUSH;
  readonly isPerLane = true;
  private readonly publisher: StreamPublisher;
  /** The number of the last call for each key that was answered. */
  private readonly answered: PublishedEvents;
  private readonly offAudit: () => void;

  /**
   * @param maxWaiting how many events may wait for one key
   * @param waitingTtl for how long, in milliseconds
   * @param streamKey gives the stream of a key
   */
  constructor(
    private readonly streams: RedisStreams,
    private readonly maxWaiting: number,
    private readonly waitingTtl: number,
    private readonly streamKey: (key: string) => string,
  ) {
    this.publisher = new StreamPublisher(streams, this);
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
    await this.publisher.publish(waitingKey(key), event, key, this.streamKey(key));
  }

  /** The connection is back. */
  retryNow(): void {
    this.publisher.retryNow();
  }

  async stop(): Promise<void> {
    await this.publisher.stop();
    this.offAudit();
  }

  args({ keys }: StreamLane): readonly (string | number)[] {
    const last = this.answered.lastOf(keys[1]!);
    return [this.maxWaiting, this.waitingTtl, last?.id ?? 0, Math.ceil(last?.ago ?? 0)];
  }

  batchOf(events: readonly EventText[]): Batch {
    return events.map(waitingText);
  }

  taken(
    lane: StreamLane,
    answer: string,
    number: number,
    error?: (event: string) => SseError,
  ): void {
    const outcomes = answer.slice(answer.indexOf(' ') + 1);
    const key = lane.keys[1]!;
    lane.settle((index) =>
      outcomes[index] === '1'
        ? (error?.(`for the key ${JSON.stringify(key)}`) ?? '')
        : tooManyWaiting(key, this.maxWaiting),
    );
    if (outcomes.endsWith(LOST)) {
      this.reportLoss(key);
    }
    this.answered.note(key, String(number), number);
  }

  private async verify(key: string, number: string): Promise<void> {
    const { server, connection } = this.streams;
    await server.known();
    const ago = Math.ceil(this.answered.lastOf(key)?.ago ?? 0);
    const reply = await runScript(await connection.client(), {
      script: WAS_LOST,
      keys: [this.publisher.markerOf(waitingKey(key)), this.streamKey(key)],
      args: [number, ago, server.publishCommand],
    });
    if ('error' in reply) {
      throw reply.error;
    }
    if (Number(reply.ok) === 1) {
      this.answered.forget(key, number);
      this.reportLoss(key);
    }
  }

  private reportLoss(key: string): void {
    this.streams.logger.warn(
      `Redis has lost what was sent to the key ${JSON.stringify(key)} and had not reached every ` +
        'reader. Its clients receive sse:reset.',
    );
  }
}
