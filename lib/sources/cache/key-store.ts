import type { ChannelFeed, ChannelSink, HistoryEvent } from '../../channel/source.js';
import { whole } from '../options/option-kinds.js';
import type { TableOf } from '../options/option-table.js';

/** A value on its way from a key to the key's readers. */
export interface KeyEvent {
  /** The value's text. */
  readonly data: string;
  /** The event's name, if `sendKey` got one. */
  readonly type?: string | undefined;
  /** The publisher's own id, if `sendKey` got one. */
  readonly id?: string | undefined;
}

/** What a store remembers about a value, so that it need not read it again while it is unchanged. */
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

/** What reading one key brought. */
export interface KeyReading {
  /**
   * The values that were taken, in order. In `look` only those that `sendKey` had
   * left waiting.
   */
  readonly events: readonly KeyEvent[];
  /** How many values were taken. They are on their way to everybody who follows the key. */
  readonly shared?: number | undefined;
  /** `look` only: the key's present value. Unset when there is no such key. */
  readonly value?: string | undefined;
  /** `look` only: what the store knows the value by at the next look. */
  readonly known?: KnownValue | undefined;
  /** `look` only: true when the key holds what it held before; `value` is unset then. */
  readonly unchanged?: boolean | undefined;
  /** `look` only: how many bytes the value has, if that is too large to be read. */
  readonly tooLarge?: number | undefined;
  /** Values that were left out. With `shared`, readers already got a reset. */
  readonly skipped?: Skipped | undefined;
  /** True when more values wait than are taken at a time. */
  readonly more?: boolean | undefined;
  /** Why this key alone cannot be read, such as a value that is no text. */
  readonly refused?: string | undefined;
  /** Why the store could not be read. The next poll tries again. */
  readonly failure?: unknown;
  /** True when the owner of the connection has logged the failure already. */
  readonly reported?: boolean | undefined;
  /** True when values may have been taken that did not arrive here. */
  readonly lost?: boolean | undefined;
}

/** How often a key is polled, in milliseconds. */
export interface PollRate {
  readonly interval: number;
  /** What the interval may grow to while nothing comes. */
  readonly maxInterval: number;
}

/** This instance's part in the polling of keys by one instance for all. */
export interface SharedPolls {
  /** Whether one instance polls for all. While it is false, each polls the keys that it reads. */
  readonly work: boolean;
  /** Whether this instance is the one that polls for all, at this moment. */
  readonly isPoller: boolean;
  /** Asks for the key to be polled at this rate, by whichever instance; `undefined`: no longer. */
  want(key: string, rate: PollRate | undefined): void;
  /** Leaves polling to the other instances. */
  stop(): Promise<void>;
}

/** What shared polls need from the instance. */
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
 * Where keys live. Readings come in the order of the keys that are passed. A rejected promise means
 * a `failure` of every key.
 */
export interface KeyStore {
  /**
   * True when each key is read by calls of its own. Reading several at a time would save nothing, and
   * a slow one would hold up the others.
   */
  readonly readsAlone?: boolean | undefined;
  /** False when `onSet` tells of every new value, so that nothing need be polled. */
  readonly polled: boolean;
  /**
   * Refuses a key that the store can never serve.
   * @throws SseError `INVALID_CHANNEL`
   */
  check?(key: string): void;
  /** Takes the values away from the keys, each at once with those that wait for it. */
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
  /** Has one instance take the values of keys for all that follow them. Present only beside `follow`. */
  sharePolls?(owner: SharedPollsOwner): SharedPolls;
  /** Calls the listener with each key that was set. Returns how to end that. */
  onSet?(listener: (key: string) => void): () => void;
  /** Calls the listener when the store can be reached again. Returns how to end that. */
  onAvailable?(listener: () => void): () => void;
  /** Releases its resources. Calls that are under way are finished, or given up. */
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
