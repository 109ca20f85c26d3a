import type { ResetReason, SseReset } from './reset-reason.js';
import type { SourceEvent } from './source.js';
import type { SseEvent } from './sse-event.js';

/** The `type` of the event that tells a client that events may be missing. */
export const RESET_TYPE = 'sse:reset';

const REASONS: Readonly<Record<ResetReason, true>> = {
  trimmed: true,
  'unknown-position': true,
  failover: true,
  'listener-gap': true,
  'slow-consumer': true,
  'skipped-event': true,
};

/** All reasons. */
export const RESET_REASONS = Object.keys(REASONS) as ResetReason[];

/**
 * Whether an event is a reset: events may be missing, so that the application must load again
 * whatever it has built from them.
 */
export function isReset(event: { readonly type?: string }): event is SseEvent<SseReset> {
  return event.type === RESET_TYPE;
}

/** The event that tells the clients of a channel that events may be missing. */
export function resetEvent(channel: string, reason: ResetReason): SourceEvent {
  return { type: RESET_TYPE, data: JSON.stringify({ channel, reason } satisfies SseReset) };
}

/** Whether another system has given a reason that clients know. */
export function isResetReason(value: unknown): value is ResetReason {
  return Object.hasOwn(REASONS, value as PropertyKey);
}
