import { SseError } from '../../channel/sse-error.js';
import { doneSignal, duration, eventType, oneOf } from '../options/option-kinds.js';
import {
  invalidOption,
  readOptions,
  type Settings,
  type TableOf,
} from '../options/option-table.js';

/** How a key feeds its channel. */
export interface CacheOptions {
  /**
   * The time between two polls of the key, in milliseconds, at least 1. Of several readers of one
   * key, the shortest interval counts. Default 1,000.
   */
  readonly interval?: number | undefined;
  /**
   * While nothing comes, the time between two polls doubles up to this many milliseconds; the first
   * value brings it back to `interval`. Default: `interval`, so that it never grows.
   */
  readonly maxInterval?: number | undefined;
  /**
   * - `take`: each value is removed from the key and becomes an event; while nobody
   *   reads, the key is not polled and the value waits in it
   * - `watch`: the value stays, each change becomes an event, and a new client receives
   *   the present value at once
   *
   * When readers use both modes at once, `take` counts. Default `take`.
   */
  readonly mode?: 'take' | 'watch' | undefined;
  /**
   * Which instances poll a key in Redis, with `mode: 'take'`:
   *
   * - `each`: every instance with readers of the key
   * - `elected`: one instance for all, at the shortest interval that any instance asks for, so that
   *   the polls per second do not grow with the instances. Another takes over at once when it
   *   stops, and within 2.5 seconds when it dies. An instance that also reads the key with `each`
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

export const CACHE_OPTIONS = {
  interval: duration(1_000, 1),
  maxInterval: duration(undefined, 1),
  mode: oneOf('take', 'watch'),
  poller: oneOf('each', 'elected'),
  doneSignal: doneSignal('[DONE]'),
  type: eventType,
} satisfies TableOf<CacheOptions>;

/** The options of a key, complete. */
export type KeyOptions = Settings<typeof CACHE_OPTIONS> & { readonly maxInterval: number };

/** @throws SseError `INVALID_OPTION` */
export function keyOptions(options: CacheOptions): KeyOptions {
  const settings = readOptions(CACHE_OPTIONS, options);
  const { interval, maxInterval = interval } = settings;
  if (maxInterval < interval) {
    const allowed = `at least as long as \`interval\`, which is ${interval}`;
    throw invalidOption('maxInterval', maxInterval, allowed);
  }
  if (settings.poller === 'elected' && settings.mode === 'watch') {
    throw new SseError(
      'INVALID_OPTION',
      '`poller` is "elected" and `mode` is "watch". Each instance that reads a watched ' +
        "key looks at it itself. Leave `poller` out, or take the key with `mode: 'take'`.",
    );
  }
  return { ...settings, maxInterval };
}
