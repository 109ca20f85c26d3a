import type { OutgoingEvent } from '../../channel/source.js';
import type { SseError } from '../../channel/sse-error.js';
import type { OnceRecord } from './once-record.js';
import { metaOf, type EventText } from './stream-entry.js';

/** The most events, and about the most bytes, of one lane in a call. */
const BATCH_EVENTS = 500;
const BATCH_SIZE = 131_072;
/** An event with an idempotency key costs Redis an entry of its own, as this many bytes do. */
const KEYED_SIZE = 2_048;

/** An event on its way to Redis, with the functions that report its outcome. */
interface Sending extends EventText {
  readonly deadline: number;
  readonly resolve: (id: string) => void;
  readonly reject: (error: SseError) => void;
  isSettled: boolean;
}

const NONE: readonly Sending[] = [];

/** The events of one channel on their way to Redis: some are in a call, others wait for the next. */
export class Lane {
  /** Whether this lane gets calls of its own, because Redis refused a call that it shared. */
  isAlone = false;
  private waiting: Sending[] = [];
  private inCall: readonly Sending[] = NONE;

  /**
   * @param keys the keys that a call for it names; the first is the lane's name
   * @param resized called with the change in the number of bytes on their way
   */
  constructor(
    readonly keys: readonly string[],
    private readonly resized: (by: number) => void,
  ) {}

  /** The events of the call, which stay the same until its outcome is known. */
  get events(): readonly EventText[] {
    return this.inCall;
  }

  get isInCall(): boolean {
    return this.inCall.length > 0;
  }

  get isWanted(): boolean {
    return this.inCall.some(({ isSettled }) => !isSettled);
  }

  get isEmpty(): boolean {
    return !this.isInCall && this.waiting.length === 0;
  }

  /** The keys that the call names for this lane. */
  get callKeys(): readonly string[] {
    const [first] = this.inCall;
    return first?.once ? [...this.keys, ...this.inCall.map(({ once }) => once!.record)] : this.keys;
  }

  /** Adds an event to the next call. Resolves with its id. */
  add(event: OutgoingEvent, deadline: number, once?: OnceRecord): Promise<string> {
    const meta = metaOf(event);
    const { data, id: own } = event;
    this.resized(meta.length + data.length);
    return new Promise((resolve, reject) => {
      this.waiting.push({ meta, data, own, once, deadline, resolve, reject, isSettled: false });
    });
  }

  /**
   * Moves waiting events into a call: either events with idempotency keys, or events without. Returns
   * about how many bytes they have.
   */
  beginCall(): number {
    let [count, size] = [0, 0];
    const isKeyed = this.waiting[0]?.once !== undefined;
    while (count < this.waiting.length && count < BATCH_EVENTS && size < BATCH_SIZE) {
      const { meta, data, once } = this.waiting[count]!;
      if ((once !== undefined) !== isKeyed) {
        break;
      }
      count++;
      size += meta.length + data.length + (isKeyed ? KEYED_SIZE : 0);
    }
    this.inCall = count === this.waiting.length ? this.waiting : this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    return size;
  }

  /** Makes the events of the call wait again, before all others: Redis has not taken them. */
  giveBack(): void {
    this.waiting = [...this.inCall.filter(({ isSettled }) => !isSettled), ...this.waiting];
    this.inCall = NONE;
  }

  /**
   * Ends the call.
   * @param outcomes the id of each event, or the error with which its promise rejects
   */
  settle(outcomes: readonly (string | SseError)[]): void {
    for (let nth = 0; nth < this.inCall.length; nth++) {
      this.finish(this.inCall[nth]!, outcomes[nth]!);
    }
    this.inCall = NONE;
  }

  /**
   * Rejects the events that have waited too long.
   * @param error makes the error for an event, which may have arrived or cannot have
   */
  giveUp(now: number, error: (mayHaveArrived: boolean) => SseError): void {
    for (const sending of this.inCall) {
      if (sending.deadline <= now && !sending.isSettled) {
        this.finish(sending, error(true));
      }
    }
    const kept = this.waiting.findIndex(({ deadline }) => deadline > now);
    const late = this.waiting.splice(0, kept < 0 ? this.waiting.length : kept);
    late.forEach((sending) => this.finish(sending, error(false)));
  }

  private finish(sending: Sending, outcome: string | SseError): void {
    if (sending.isSettled) {
      return;
    }
    sending.isSettled = true;
    this.resized(-sending.meta.length - sending.data.length);
    if (typeof outcome === 'string') {
      sending.resolve(outcome);
    } else {
      sending.reject(outcome);
    }
  }
}
