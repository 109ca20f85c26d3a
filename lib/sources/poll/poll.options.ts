import { isEventType } from '../../channel/event-check.js';
import type { Serialize } from '../../channel/serialize.js';
import { shownOption } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { checkOptionNames } from '../options/option-names.js';

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

const OPTIONS: readonly (keyof PollOptions)[] = [
  'interval',
  'type',
  'immediate',
  'timeout',
  'doneSignal',
  'serialize',
];

/** The longest time a timer can be set for. */
const MAX_INTERVAL_MS = 2_147_483_647;

/** @throws SseError `INVALID_OPTION` */
export function checkPollOptions(options: PollOptions) {
  checkOptionNames(options, OPTIONS, { of: 'poll()' });
  const { interval = 1_000, type, immediate = true, doneSignal = '[DONE]' } = options;
  const { timeout = 30_000, serialize } = options;
  for (const [name, value] of Object.entries({ interval, timeout })) {
    if (!Number.isInteger(value) || value < 1 || value > MAX_INTERVAL_MS) {
      throw invalid(name, value, `a whole number of milliseconds from 1 to ${MAX_INTERVAL_MS}`);
    }
  }
  if (type !== undefined && !isEventType(type)) {
    throw invalid('type', type, 'a text without CR, LF and NUL that does not begin with "sse:"');
  }
  if (typeof immediate !== 'boolean') {
    throw invalid('immediate', immediate, 'true or false');
  }
  if (doneSignal !== false && (typeof doneSignal !== 'string' || doneSignal === '')) {
    throw invalid('doneSignal', doneSignal, 'a text that is not empty, or false');
  }
  if (serialize !== undefined && typeof serialize !== 'function') {
    throw invalid('serialize', serialize, 'a function of the value');
  }
  return { interval, type, immediate, doneSignal, timeout, serialize };
}

function invalid(name: string, value: unknown, allowed: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `\`${name}\` is ${shownOption(value)}; it must be ${allowed}.`,
  );
}
