import type { Serialize } from '../../channel/value-text.js';
import { callback, doneSignal, duration, eventType, flag } from '../options/option-kinds.js';
import type { Settings, TableOf } from '../options/option-table.js';

/** Options of a polled function. */
export interface PollOptions {
  /**
   * The time between the end of one read and the start of the next, in milliseconds,
   * at least 1. Default 1,000.
   */
  readonly interval?: number | undefined;
  /** The name of the events. Default: none. */
  readonly type?: string | undefined;
  /** Whether the first read comes at once instead of after one interval. Default true. */
  readonly immediate?: boolean | undefined;
  /**
   * How long one read may take, in milliseconds, at least 1. After that it counts as failed: its
   * value is dropped, and the function is called again. Default 30,000.
   */
  readonly timeout?: number | undefined;
  /** The text that ends the stream, as its last event. `false`: none does. Default: the module's. */
  readonly doneSignal?: string | false | undefined;
  /** Writes values that are no strings as text. Default: the module's `serialize`. */
  readonly serialize?: Serialize | undefined;
}

export const POLL_OPTIONS = {
  interval: duration(1_000, 1),
  type: eventType,
  immediate: flag(true),
  timeout: duration(30_000, 1),
  doneSignal: doneSignal('[DONE]'),
  serialize: callback<Serialize>('the value'),
} satisfies TableOf<PollOptions>;

export type PollSettings = Settings<typeof POLL_OPTIONS>;
