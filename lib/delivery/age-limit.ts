import { MAX_TIMER_MS } from '../channel/clock.js';
import type { EndReason } from './end-reason.js';

/**
 * When and why a new connection ends at the latest; `undefined` for never. Times in milliseconds.
 *
 * @param maxAge how old connections may get, randomised down to 80 % so that they do not end in one moment; 0 for ever
 * @param expiresAt when the client's permission ends, since the epoch
 */
export function ageLimit(
  maxAge: number,
  expiresAt: number | undefined,
): { readonly delay: number; readonly reason: EndReason } | undefined {
  const age = maxAge === 0 ? Infinity : maxAge * (0.8 + 0.2 * Math.random());
  const permission = expiresAt === undefined ? Infinity : Math.max(1, expiresAt - Date.now());
  const delay = Math.min(age, permission);
  if (delay === Infinity) {
    return undefined;
  }
  return {
    delay: Math.min(delay, MAX_TIMER_MS),
    reason: permission <= age ? 'expired' : 'max-age',
  };
}
