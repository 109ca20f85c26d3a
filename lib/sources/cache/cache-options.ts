import { isEventType } from '../../channel/event-check.js';
import { shownOption } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';

/** How a key feeds its channel. */
export interface CacheOptions {
  /**
   * The time between two polls of the key, in milliseconds, at least 1. Where the same
   * key is read with several intervals, the smallest counts. Default 1,000.
   */
  readonly interval?: number | undefined;
  /**
   * While nothing comes, the time between two polls doubles up to this many
   * milliseconds; the first value brings it back to `interval`. Default: `interval`,
   * so that it stays as it is.
   */
  readonly maxInterval?: number | undefined;
  /**
   * - `take`: each value is removed from the key and becomes an event; while nobody
   *   reads, the key is not polled and the value waits in it
   * - `watch`: the value stays, each change becomes an event, and a new client receives
   *   the present value at once
   *
   * A key that is read in both modes at once is taken. Default `take`.
   */
  readonly mode?: 'take' | 'watch' | undefined;
  /**
   * Which instances poll a key in Redis that is taken:
   *
   * - `each`: every instance that has readers of it
   * - `elected`: one instance for all, at the shortest interval that any instance asks for, so that
   *   the polls per second do not grow with the instances. Another takes over at once when it
   *   stops, and within 4 seconds when it dies. An instance that also reads the key with `each`
   *   polls it besides.
   *
   * Default `each`.
   */
  readonly poller?: 'each' | 'elected' | undefined;
  /**
   * The value that ends the stream: it is delivered as the last event. `false`: no
   * value does. Default `[DONE]`.
   */
  readonly doneSignal?: string | false | undefined;
  /** The name of the key's events, unless `sendKey` gave one. Default: none. */
  readonly type?: string | undefined;
}

/** The options of a key, complete. */
export interface KeyOptions {
  readonly interval: number;
  readonly maxInterval: number;
  readonly mode: 'take' | 'watch';
  readonly poller: 'each' | 'elected';
  readonly doneSignal: string | false;
  readonly type: string | undefined;
}

/** The longest time a timer can be set for. */
const MAX_INTERVAL = 2_147_483_647;

/** @throws SseError `INVALID_OPTION` */
export function keyOptions(options: CacheOptions): KeyOptions {
  const { interval = 1_000, mode = 'take', poller = 'each', type } = options;
  const { maxInterval = interval, doneSignal = '[DONE]' } = options;
  checkInterval('interval', interval, 1);
  checkInterval('maxInterval', maxInterval, interval);
  if (mode !== 'take' && mode !== 'watch') {
    throw invalid('mode', mode, '"take" or "watch"');
  }
  if (poller !== 'each' && poller !== 'elected') {
    throw invalid('poller', poller, '"each" or "elected"');
  }
  if (poller === 'elected' && mode === 'watch') {
    throw new SseError(
      'INVALID_OPTION',
      '`poller` is "elected" and `mode` is "watch". Each instance that reads a watched ' +
        "key looks at it itself. Leave `poller` out, or take the key with `mode: 'take'`.",
    );
  }
  if (doneSignal !== false && (typeof doneSignal !== 'string' || doneSignal === '')) {
    throw invalid('doneSignal', doneSignal, 'a text that is not empty, or false');
  }
  if (type !== undefined && !isEventType(type)) {
    throw invalid('type', type, 'a text without CR, LF and NUL that does not begin with "sse:"');
  }
  return { interval, maxInterval, mode, poller, doneSignal, type };
}

function checkInterval(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least || value > MAX_INTERVAL) {
    throw invalid(name, value, `a whole number of milliseconds from ${least} to ${MAX_INTERVAL}`);
  }
}

function invalid(name: string, value: unknown, allowed: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `\`${name}\` is ${shownOption(value)}; it must be ${allowed}.`,
  );
}
