import type { TableOf } from '../sources/options/option-table.js';
import { option, whole } from '../sources/options/option-kinds.js';

/** How long a system may be away before `live()` fails by itself, in milliseconds. */
const MAX_OUTAGE_MS = 1_800_000;

/** Options of `SseHealthIndicator.ready()`. */
export interface ReadyOptions {
  /** Systems whose outage does not count, such as `['cache']`. Default: none. */
  readonly except?: readonly string[] | undefined;
}

/** Options of `SseHealthIndicator.live()`. */
export interface LiveOptions extends ReadyOptions {
  /**
   * How long a system may be away, in milliseconds; `Infinity` for ever. Each instance takes a random
   * one to one and a half times this, so that not all are restarted together. Default: 1,800,000.
   */
  readonly maxOutage?: number | undefined;
}

const except = option(
  (value): value is readonly string[] =>
    Array.isArray(value) && value.every((name) => typeof name === 'string'),
  "an array of the names of systems, such as ['cache']",
  [] as const,
);

export const READY_OPTIONS = { except } satisfies TableOf<ReadyOptions>;

export const LIVE_OPTIONS = {
  except,
  maxOutage: whole(MAX_OUTAGE_MS, { unit: 'ms' }),
} satisfies TableOf<LiveOptions>;
