import type { Guard } from '../channel/guard.js';
import type { Tally } from '../channel/tally.js';
import type { AdmissionLimits } from './admission.js';

/** How connections live and end. Durations in milliseconds. */
export interface ConnectionOptions extends AdmissionLimits {
  /** The reconnection time that clients are told; 3,000 by default. */
  readonly retry: number;
  /** A heartbeat is written to connections that were silent for this time; 0 for none. */
  readonly heartbeat: number;
  /** A client that has not read for this time is disconnected; 0 for never. */
  readonly stallTimeout: number;
  /** The longest life of a connection, of which each lives a random 80 to 100 %; 0 for no limit. */
  readonly maxAge: number;
  /** Shutdown spreads reconnects over this time, and waits as long for slow clients. */
  readonly drainTimeout: number;
}

/** Clients that found no room return after 1 to 4 times this. */
export const CAPACITY_RETRY_MS = 15_000;

/** The longest time between two checks for connections that have ended or stalled. */
export const MAX_AUDIT_PERIOD_MS = 5_000;

/** What connections need of the application. */
export interface ConnectionServices {
  readonly guard: Guard;
  /** Runs a function outside of any request's async context. */
  readonly detach: <R>(run: () => R) => R;
  /** Pulls a connection in a turn of the event loop that has time for it. */
  readonly wake: (connection: { pull(): void }) => void;
  readonly tally: Tally;
}
