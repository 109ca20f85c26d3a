import { monotonicNow } from './clock.js';
import type { Outage } from './outage.js';

/**
 * - `up`: it works
 * - `idle`: nobody has needed it yet, or needs it at the moment, so nothing is known of it
 * - `starting`: it has not worked yet, and the first attempt is under way
 * - `away`: it does not work, and the log says so
 */
export type SystemState = 'up' | 'idle' | 'starting' | 'away';

/** How a system behind a source is, as far as the source has noticed. */
export interface SystemHealth {
  readonly state: SystemState;
  /** For how many milliseconds it has not worked; 0 in the states `up` and `idle`. */
  readonly awayFor: number;
}

/** A system that nothing is wrong with. */
export function fine(state: 'up' | 'idle'): SystemHealth {
  return { state, awayFor: 0 };
}

/**
 * A system that may be away.
 * @param otherwise how it is without an outage
 */
export function healthBy(outage: Pick<Outage, 'lastsFor'>, otherwise: SystemHealth): SystemHealth {
  const { lastsFor } = outage;
  return lastsFor === undefined ? otherwise : { state: 'away', awayFor: lastsFor };
}

/** A system that has not worked since this moment of `monotonicNow()`, which was the first attempt. */
export function starting(since: number): SystemHealth {
  return { state: 'starting', awayFor: monotonicNow() - since };
}
