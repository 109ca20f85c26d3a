import type { OutgoingEvent } from '../../channel/source.js';
import type { SseError } from '../../channel/sse-error.js';
import type { ScriptCall } from './redis-batch.js';
import { lengthsOf, metaOf } from './stream-entry.js';
import { laterStreamId } from './stream-id.js';
import { APPEND } from './stream-scripts.js';

/** How many events, and about how many bytes of them, one call of the script takes. */
const BATCH_EVENTS = 500;
const BATCH_SIZE = 1_048_576;
/** The first and the third argument of the script, and what the latter says. */
const COMMAND = 0;
const KIND = 2;
const FIRST_TIME = 'first';
const AGAIN = 'again';

/** An event on its way, and who waits for it. */
interface Sending {
  readonly meta: string;
  readonly data: string;
  readonly deadline: number;
  readonly resolve: (id: string) => void;
  readonly reject: (error: SseError) => void;
  settled: boolean;
}

type AppendCall = ScriptCall & { readonly args: (string | number)[] };

/** What a call of the script says beside the events. */
export interface CallHeader {
  /** The key under which Redis notes the last call of this instance. */
  readonly marker: string;
  /** Higher than that of the call before. */
  readonly number: number;
  /** Whether a call is sent once, unless we send it again. */
  readonly once: boolean;
  readonly limits: readonly [events: number, age: number, bytes: number];
}

/**
 * The events of one channel on their way to its stream: those that wait, and those of the call
 * that is being made. The call stays the same however often it is sent.
 */
export class StreamLane {
  /** Whether a reply to the call is awaited. */
  inFlight = false;
  private waiting: Sending[] = [];
  private sendings: readonly Sending[] = [];
  private call: AppendCall | undefined;

  /**
   * @param key the stream
   * @param resized told by how many bytes there is more, or less, on its way
   */
  constructor(
    readonly key: string,
    private readonly resized: (by: number) => void,
  ) {}

  /** Whether nothing is on its way. */
  get isEmpty(): boolean {
    return !this.call && this.waiting.length === 0;
  }

  /** Whether there is a call whose outcome is not known. */
  get isCalling(): boolean {
    return this.call !== undefined;
  }

  /** Lets an event wait for the next call. Resolves with its id. */
  add(event: OutgoingEvent, deadline: number): Promise<string> {
    const meta = metaOf(event);
    const { data } = event;
    this.resized(meta.length + data.length);
    return new Promise((resolve, reject) => {
      this.waiting.push({ meta, data, deadline, resolve, reject, settled: false });
    });
  }

  /** Makes a call of what waits, unless there is one already. */
  prepare(header: () => CallHeader): void {
    if (this.call || this.waiting.length === 0) {
      return;
    }
    let [count, size] = [0, 0];
    while (count < this.waiting.length && count < BATCH_EVENTS && size < BATCH_SIZE) {
      size += this.waiting[count++]!.data.length;
    }
    this.sendings = this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    const parts = this.sendings.flatMap(({ meta, data }) => [meta, data]);
    const { marker, number, once, limits } = header();
    this.call = {
      script: APPEND,
      keys: [this.key, marker],
      args: ['', number, once ? FIRST_TIME : AGAIN, ...limits, lengthsOf(parts), ...parts],
    };
  }

  /** The call, with the command that it is to publish with. */
  callWith(publishCommand: string): ScriptCall {
    const call = this.call!;
    call.args[COMMAND] = publishCommand;
    return call;
  }

  /** Nobody knows whether the call has arrived: it says so when it is sent again. */
  repeat(): void {
    this.call!.args[KIND] = AGAIN;
    this.dropUnwanted();
  }

  /**
   * The call is over: its events have ids, the first of them this one.
   * @param error the error of an event with this id, when it is not accepted all the same
   * @returns the id of the last event
   */
  appended(first: string, error?: (id: string) => SseError): string {
    const { sendings } = this;
    sendings.forEach((sending, index) => {
      const id = laterStreamId(first, index);
      this.finish(sending, () => (error ? sending.reject(error(id)) : sending.resolve(id)));
    });
    this.drop();
    return laterStreamId(first, sendings.length - 1);
  }

  /** The call is over: its events were not taken. */
  refused(error: SseError): void {
    this.sendings.forEach((sending) => this.finish(sending, () => sending.reject(error)));
    this.drop();
  }

  /**
   * Rejects what has waited too long.
   * @param error the error of an event that may have arrived, or cannot have
   */
  giveUp(now: number, error: (mayHaveArrived: boolean) => SseError): void {
    for (const sending of this.sendings) {
      if (sending.deadline <= now) {
        this.finish(sending, () => sending.reject(error(true)));
      }
    }
    if (!this.inFlight) {
      this.dropUnwanted();
    }
    const kept = this.waiting.findIndex(({ deadline }) => deadline > now);
    const gone = this.waiting.splice(0, kept < 0 ? this.waiting.length : kept);
    gone.forEach((sending) => this.finish(sending, () => sending.reject(error(false))));
  }

  /** Rejects everything. The reply to a call that is under way may still come. */
  abandon(error: SseError): void {
    for (const sending of [...this.sendings, ...this.waiting]) {
      this.finish(sending, () => sending.reject(error));
    }
    this.waiting = [];
  }

  /** A call for which nobody waits any more is not sent again. */
  private dropUnwanted(): void {
    if (this.sendings.every(({ settled }) => settled)) {
      this.drop();
    }
  }

  private drop(): void {
    this.call = undefined;
    this.sendings = [];
  }

  private finish(sending: Sending, settle: () => void): void {
    if (!sending.settled) {
      sending.settled = true;
      this.resized(-sending.meta.length - sending.data.length);
      settle();
    }
  }
}
