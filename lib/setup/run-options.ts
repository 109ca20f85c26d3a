import { callback, duration, flag, oneOf, option, whole } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';

/** How the values of a run's source are written, and how its readers hear of the end. */
export type RunFormatName = 'default' | 'text' | 'json' | 'ai-sdk';

/** The names of all formats. */
export const RUN_FORMATS: readonly RunFormatName[] = ['default', 'text', 'json', 'ai-sdk'];

/** Limits of one run, for `SseService.run()` and, as `runs`, for all runs of the module. */
export interface RunLimits {
  /**
   * A run is lost when its instance could not store anything for so long, in milliseconds: another
   * instance then ends it. At least 1,000. Default: 10,000.
   */
  readonly lease?: number | undefined;
  /** How long a run can be read after its end, in milliseconds. Default: 300,000. */
  readonly keep?: number | undefined;
  /** How long a run may last, in milliseconds; 0 for ever. Then it ends with an error. Default: 3,600,000. */
  readonly duration?: number | undefined;
  /**
   * Bytes of all events of a run: the data and the type of each, and 48 more, about what its id and the names of its
   * fields take in a stream. Beyond them the run ends with an error. Default: 16,777,216.
   */
  readonly bytes?: number | undefined;
  /**
   * What clients are told of an error of a run's source: a function of the error, whose text is public.
   * Default, and where the text is larger than `limits.eventSize`: a general text, as errors may have secrets in them.
   */
  readonly errorMessage?: ((error: unknown) => string) | undefined;
}

/** The option `runs` of `SseModule.forRoot()`. */
export interface RunsOptions extends RunLimits {
  /** Runs that may be active on one instance at a time. Default: 10,000. */
  readonly active?: number | undefined;
}

/** Options of `SseService.run()`. */
export interface RunOptions extends RunLimits {
  /**
   * How the source's values are written: each as an event, as `send()` makes it; as pieces of a text; as
   * values of JSON; or as the AI SDK's UI message stream. Default: `default`, as events.
   */
  readonly format?: RunFormatName | undefined;
  /** Whether an active run of the channel is stopped first. Otherwise it is an error. Default: false. */
  readonly replace?: boolean | undefined;
}

/** Options of `SseService.stop()`. */
export interface StopOptions {
  /** Why the run was stopped, for its readers: at most 1,024 characters. Default: none. */
  readonly reason?: string | undefined;
}

/** The shortest lease, in milliseconds: a busy instance may be late. */
const MIN_LEASE_MS = 1_000;

/** Characters of the reason of a stop. */
const MAX_REASON = 1_024;

const errorMessage = callback<(error: unknown) => string>('the error');

export const RUNS_OPTIONS = {
  lease: duration(10_000, MIN_LEASE_MS),
  keep: duration(300_000),
  duration: duration(3_600_000),
  bytes: whole(16_777_216, { unit: 'bytes' }),
  errorMessage,
  active: whole(10_000, { unit: 'runs' }),
} satisfies TableOf<RunsOptions>;

export const RUN_OPTIONS = {
  format: oneOf<RunFormatName>('default', 'text', 'json', 'ai-sdk'),
  replace: flag(false),
  lease: duration(undefined, MIN_LEASE_MS),
  keep: duration(undefined),
  duration: duration(undefined),
  bytes: whole(undefined, { unit: 'bytes' }),
  errorMessage,
} satisfies TableOf<RunOptions>;

export const STOP_OPTIONS = {
  reason: option(
    (value): value is string => typeof value === 'string' && value.length <= MAX_REASON,
    'a string of at most 1,024 characters',
    undefined,
  ),
} satisfies TableOf<StopOptions>;
