import { MAX_TIMER_MS } from '../channel/clock.js';
import { option } from '../sources/options/option-kinds.js';

/** How an endpoint asks again while its streams are open. */
// The framework's request type is the application's choice.
// oxlint-disable-next-line typescript/no-explicit-any
export interface RevalidateOption<Request = any> {
  /** About how often it asks about each stream, in milliseconds, at least 1,000. */
  readonly interval: number;
  /**
   * Whether the client of this request may still read its stream. Any answer but true, an error, or no
   * answer within 30 seconds ends the stream.
   */
  readonly check: (request: Request) => boolean | Promise<boolean>;
}

/** The shortest time between two checks of one stream, in milliseconds. */
const MIN_REVALIDATE_MS = 1_000;

export const revalidateOption = option(
  isRevalidate,
  `{ interval, check } with an interval from ${MIN_REVALIDATE_MS} to ${MAX_TIMER_MS} ms and a function of the request`,
  undefined,
);

function isRevalidate(value: unknown): value is RevalidateOption {
  const { interval, check, ...others } = Object(value) as Partial<RevalidateOption>;
  return (
    typeof interval === 'number' &&
    interval >= MIN_REVALIDATE_MS &&
    interval <= MAX_TIMER_MS &&
    typeof check === 'function' &&
    Object.keys(others).length === 0
  );
}
