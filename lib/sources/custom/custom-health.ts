import { kindOf, shown } from '../../channel/shown.js';
import type { Guard } from '../../channel/guard.js';
import { nameOf } from '../../channel/open-feed.js';
import type { Lifecycle } from '../../channel/source.js';
import { fine, type SystemHealth } from '../../channel/system-health.js';

/**
 * How the system of an application's source is, as its `awayFor()` tells. An `awayFor()` that fails
 * says that the system is away, but not for how long.
 *
 * @returns undefined for a source without `awayFor()`
 */
export function customHealth(source: Lifecycle, guard: Guard): SystemHealth | undefined {
  if (typeof source.awayFor !== 'function') {
    return undefined;
  }
  try {
    const awayFor: unknown = source.awayFor();
    if (awayFor === undefined) {
      return fine('up');
    }
    if (typeof awayFor !== 'number' || !(awayFor >= 0)) {
      throw new TypeError(
        `it returned ${typeof awayFor === 'number' ? shown(awayFor) : kindOf(awayFor)}. It must return ` +
          'how many milliseconds the system has been away, or undefined while it works.',
      );
    }
    return { state: 'away', awayFor };
  } catch (error) {
    guard.report(`awayFor() of ${nameOf(source)}`, error);
    return { state: 'away', awayFor: 0 };
  }
}
