import { RESET_TYPE } from './sse-event.js';
import type { ResetReason, SourceEvent } from './source.js';

/** The event that tells the clients of a channel that events may be missing. */
export function resetEvent(channel: string, reason: ResetReason): SourceEvent {
  return { type: RESET_TYPE, data: JSON.stringify({ channel, reason }) };
}
