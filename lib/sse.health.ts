import type { SystemHealth } from './channel/system-health.js';
import type { Delivery } from './delivery/delivery.js';
import type { SseSources } from './setup/sse-sources.js';

/** Whether this instance can serve streams; see `SseService.health()`. */
export interface SseHealth {
  /** Whether new clients should come: the application is not shutting down, and every system is `up` or `idle`. */
  readonly ready: boolean;
  /** Whether the application is shutting down. */
  readonly stopping: boolean;
  /**
   * The systems that the module's options and sources name: `redis`, `postgres` (LISTEN), `event-table`, `cache`,
   * and the class of each source of yours that has `awayFor()`. None with everything in memory.
   */
  readonly systems: Readonly<Record<string, SystemHealth>>;
}

/** Whether a system in this state can be used. */
export function isUsable({ state }: SystemHealth): boolean {
  return state === 'up' || state === 'idle';
}

export function healthOf({ isStopping }: Delivery, sources: SseSources): SseHealth {
  const systems = sources.health;
  return {
    ready: !isStopping && Object.values(systems).every(isUsable),
    stopping: isStopping,
    systems,
  };
}
