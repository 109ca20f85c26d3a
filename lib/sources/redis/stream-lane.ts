import type { OutgoingEvent } from '../../channel/source.js';
import type { SseError } from '../../channel/sse-error.js';
import { metaOf, type EventText } from './stream-entry.js';

/** One call takes up to so many events of a channel, and about so many bytes. */
const BATCH_EVENTS = 500;
const BATCH_SIZE = 131_072;

/** Events as a script takes them. */
export type Batch = readonly (string | number)[];

/** An event on its way, and who waits for it. */
interface Sending extends EventText {
  readonly deadline: number;
  readonly resolve: (id: string) => void;
  readonly reject: (error: SseError) => void;
  settled: boolean;
}

/**
 * The events of one channel on their way to Redis: those that wait, and the batch that a call is
 * made for. The batch stays the same until its outcome is known.
 */
export class StreamLane {
  /** Whether it gets a call of its own, as Redis refused a call that it shared. */
  isAlone = false;
  private waiting: Sending[] = [];
  private sendings: readonly Sending[] = NONE;
  private taken: Batch | undefined;

  /**
   * @param keys the keys that a call for it names; the first is the lane's name
   * @param batchOf makes of events what a call says
   * @param resized takes by how many bytes more or less are on their way
   */
  constructor(
    readonly keys: readonly string[],
    private readonly batchOf: (events: readonly EventText[]) => Batch,
    private readonly resized: (by: number) => void,
  ) {}

  get key(): string {
    return this.keys[0]!;
  }

  /** Whether nothing is on its way. */
  get isEmpty(): boolean {
    return !this.taken && this.waiting.length === 0;
  }

  /** The events that a call is made for. */
  get batch(): Batch | undefined {
    return this.taken;
  }

  /** How many these are. */
  get batchSize(): number {
    return this.sendings.length;
  }

  /** Whether somebody still waits for an event of the batch. */
  get isWanted(): boolean {
    return this.sendings.some(({ settled }) => !settled);
  }

  /** Lets an event wait for the next call. Resolves with its id. */
  add(event: OutgoingEvent, deadline: number): Promise<string> {
    const meta = metaOf(event);
    const { data } = event;
    this.resized(meta.length + data.length);
    return new Promise((resolve, reject) => {
      const { id: own } = event;
      this.waiting.push({ meta, data, own, deadline, resolve, reject, settled: false });
    });
  }

  /** Makes a batch of what waits. Returns about how many bytes it has. */
  take(): number {
    let [count, size] = [0, 0];
    while (count < this.waiting.length && count < BATCH_EVENTS && size < BATCH_SIZE) {
      const { meta, data } = this.waiting[count++]!;
      size += meta.length + data.length;
    }
    this.sendings = count === this.waiting.length ? this.waiting : this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    this.taken = this.batchOf(this.sendings);
    return size;
  }

  /** The batch has not arrived: its events wait again, before all others. */
  giveBack(): void {
    this.waiting = [...this.sendings.filter(({ settled }) => !settled), ...this.waiting];
    this.drop();
  }

  /**
   * The batch has arrived.
   * @param outcomeOf the id of each event, or the error that it is refused with
   */
  settle(outcomeOf: (index: number) => string | SseError): void {
    this.sendings.forEach((sending, index) => {
      if (this.finish(sending)) {
        const outcome = outcomeOf(index);
        if (typeof outcome === 'string') {
          sending.resolve(outcome);
        } else {
          sending.reject(outcome);
        }
      }
    });
    this.drop();
  }

  /** The batch was not taken. */
  refused(error: SseError): void {
    this.rejectAll(this.sendings, error);
    this.drop();
  }

  /**
   * Rejects what has waited too long.
   * @param error the error of an event that may have arrived, or cannot have
   */
  giveUp(now: number, error: (mayHaveArrived: boolean) => SseError): void {
    const late = this.sendings.filter(({ deadline }) => deadline <= now);
    late.forEach((sending) => this.finish(sending) && sending.reject(error(true)));
    const kept = this.waiting.findIndex(({ deadline }) => deadline > now);
    const gone = this.waiting.splice(0, kept < 0 ? this.waiting.length : kept);
    gone.forEach((sending) => this.finish(sending) && sending.reject(error(false)));
  }

  /** Nobody waits for the batch any more. */
  drop(): void {
    this.taken = undefined;
    this.sendings = NONE;
  }

  /** Rejects everything. The reply to a call that is under way may still come. */
  abandon(error: SseError): void {
    this.rejectAll([...this.sendings, ...this.waiting], error);
    this.waiting = [];
  }

  private rejectAll(sendings: readonly Sending[], error: SseError): void {
    sendings.forEach((sending) => this.finish(sending) && sending.reject(error));
  }

  /** Notes that an event is no longer on its way. False when it was not any more. */
  private finish(sending: Sending): boolean {
    if (sending.settled) {
      return false;
    }
    sending.settled = true;
    this.resized(-sending.meta.length - sending.data.length);
    return true;
  }
}

const NONE: readonly Sending[] = [];
