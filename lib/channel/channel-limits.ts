import type { EventLimits } from './event-check.js';
import type { RetainLimits } from './event-log.js';

/** How much a channel retains, and how large its events may be. */
export interface ChannelLimits extends RetainLimits, EventLimits {}
