import type { ChannelFeed, ChannelSink, HistoryEvent } from '../../channel/source.js';
import { whole } from '../options/option-kinds.js';
import type { TableOf } from '../options/option-table.js';

/** A value on its way from a key to the key's readers. */
export interface KeyEvent {
  readonly data: string;
  /** The event's name, if `sendKey` got one. */
  readonly type?: string | undefined;
  /** The publisher's own id, if `sendKey` got one. */
  readonly id?: string | undefined;
}

/** A store's note of a value, so that it need not read the value again while it is unchanged. */
export type KnownValue = object;

/** Values that were left out because they cannot be sent. */
export interface Skipped {
  readonly count: number;
  /** Why the first of them was left out, in a sentence. */
  readonly why: string;
}

/** Why a value of so many bytes is left out. */
export function tooLarge(bytes: number): string {
  return `It has ${bytes} bytes, more than \`limits.eventSize\` allows.`;
}

export interface KeyReading {
  /**
   * The values that were taken, in order. With `look`: the waiting events of `sendKey`.
   */
  readonly events: readonly KeyEvent[];
  /** The number of taken values that are on their way to all followers of the key. */
  readonly shared?: number | undefined;
  /** `look` only: the key's present value. Unset when there is no such key. */
  readonly value?: string | undefined;
  /** `look` only: the store's note of the value, for the next look. */
  readonly known?: KnownValue | undefined;
  /** `look` only: true when the value has not changed; `value` is unset then. */
  readonly unchanged?: boolean | undefined;
  /** `look` only: the number of bytes of a value that is too large to be read. */
  readonly tooLarge?: number | undefined;
  /** Values that were left out. With `shared`, readers already got a reset. */
  readonly skipped?: Skipped | undefined;
  /** True when more values wait than one reading takes. */
  readonly more?: boolean | undefined;
  /** Why this key alone cannot be read, such as that its value has another type. */
  readonly refused?: string | undefined;
  /** Why the store could not be read. The next poll tries again. */
  readonly failure?: unknown;
  /** True when the owner of the connection has logged the failure already. */
  readonly reported?: boolean | undefined;
  /** True when the reading may have taken values that did not arrive here. */
  readonly lost?: boolean | undefined;
}

/** How often a key is polled, in milliseconds. */
export interface PollRate {
  readonly interval: number;
  /** The longest interval while nothing comes. */
  readonly maxInterval: number;
}

/** This instance's part in the polling of keys by one instance for all. */
export interface SharedPolls {
  /** Whether one instance polls for all. If not, each instance polls the keys that it reads. */
  readonly work: boolean;
  /** Whether this instance is the one that polls for all, at this moment. */
  readonly isPoller: boolean;
  /** Asks for the key to be polled at this rate, by whichever instance; `undefined`: no longer. */
  want(key: string, rate: PollRate | undefined): void;
  /** Leaves polling to the other instances. */
  stop(): Promise<void>;
}

export interface SharedPollsOwner {
  /** Polls the key at this rate for all instances; `undefined`: no longer. */
  poll(key: string, rate: PollRate | undefined): void;
  /** `work` has changed. */
  onChange(): void;
}

/** How a channel follows a key that several instances read. */
export interface FollowOptions {
  /** Turns an event of the key into one of this channel. */
  readonly shape: (event: HistoryEvent) => HistoryEvent;
  /** Another instance has put an event beside the key, for the key's readers. */
  readonly onWake: () => void;
}

/**
 * A store of keys. Readings come in the order of the given keys. A rejected promise means a
 * `failure` of every key.
 */
export interface KeyStore {
  /**
   * True when each key takes calls of its own. Reading several at a time would save nothing, and a
   * slow one would delay the others.
   */
  readonly readsAlone?: boolean | undefined;
  /** False when `onSet` reports every new value, so that polling is needless. */
  readonly polled: boolean;
  /**
   * Refuses a key that the store can never serve.
   * @throws SseError `INVALID_CHANNEL`
   */
  check?(key: string): void;
  /** Takes the values from the keys, each together with the events that wait beside it. */
  take(keys: readonly string[]): Promise<readonly KeyReading[]>;
  /**
   * Reads the keys' values and leaves them. Waiting values are moved into their key.
   * @param known for each key, the `known` of its last reading, if there is one
   */
  look(
    keys: readonly string[],
    known: readonly (KnownValue | undefined)[],
  ): Promise<readonly KeyReading[]>;
  /**
   * Lets an event wait for the key's next reader, behind those that wait already.
   * @throws SseError `LIMIT_REACHED` when too many wait, `UNAVAILABLE`
   */
  push(key: string, event: KeyEvent): Promise<void>;
  /**
   * Puts events back before all others, when they were taken and no reader was left to get them.
   * Absent where `take` returns no events.
   */
  giveBack?(key: string, events: readonly KeyEvent[]): Promise<void>;
  /** Sets the key, as any other writer would. A value that nobody has read is overwritten. */
  set(key: string, value: string): Promise<void>;
  /**
   * Feeds a channel with the values that any instance takes from the key. Present when `take`
   * sends values to all instances, and returns none.
   */
  readonly follow?:
    ((key: string, sink: ChannelSink, options: FollowOptions) => ChannelFeed) | undefined;
  /** Makes one instance take the values of keys for all followers. Present only beside `follow`. */
  sharePolls?(owner: SharedPollsOwner): SharedPolls;
  /** Calls the listener with each key that was set. Returns a function that ends this. */
  onSet?(listener: (key: string) => void): () => void;
  /** Calls the listener when the store can be reached again. Returns a function that ends this. */
  onAvailable?(listener: () => void): () => void;
  /** Releases its resources, after it has finished or given up calls under way. */
  stop?(): Promise<void>;
}

/** How many events may wait in a store for a reader, and for how long. */
export interface WaitingLimits {
  /** How many events may wait for one key. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** How long they wait after the last one came, in milliseconds. Default 86,400,000, a day. */
  readonly waitingTtl?: number | undefined;
}

export const WAITING_LIMITS = {
  maxWaiting: whole(10_000, { unit: 'events' }),
  waitingTtl: whole(86_400_000, { unit: 'ms' }),
} satisfies TableOf<WaitingLimits>;
