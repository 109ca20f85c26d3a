import { withDeadline } from '../../channel/deadline.js';
import { SseError } from '../../channel/sse-error.js';
import { textOf } from '../../channel/value-text.js';

/** How long a cache may take for a call, in milliseconds. */
export const CACHE_DEADLINE_MS = 5_000;

/** A cache that the application brings, such as cache-manager's or Keyv. Times to live are in milliseconds. */
export interface CacheLike {
  /** The key's value, or a promise of it; `undefined` or `null` when there is none. */
  get(key: string): unknown;
  /** Sets the key, for `ttl` milliseconds if given. */
  set(key: string, value: unknown, ttl?: number): unknown;
  /** Removes the key. One of `del` and `delete` must be there. */
  del?(key: string): unknown;
  /** Removes the key, where there is no `del`. */
  delete?(key: string): unknown;
  /** Reports the store's own writes, so that they need not wait for the next poll. */
  on?(event: 'set', listener: (set: { key?: unknown }) => void): unknown;
  /** Ends what `on` began. */
  off?(event: 'set', listener: (set: { key?: unknown }) => void): unknown;
}

export function isCacheLike(value: unknown): value is CacheLike {
  const cache = value as CacheLike | null | undefined;
  return (
    typeof cache?.get === 'function' &&
    typeof cache.set === 'function' &&
    (typeof cache.del === 'function' || typeof cache.delete === 'function')
  );
}

/**
 * Calls the application's cache. A call rejects when the cache throws or gives no answer in time;
 * the cache may still carry it out later.
 */
export class CacheCalls {
  /** @param deadline how long a call may take, in milliseconds */
  constructor(
    private readonly cache: CacheLike,
    private readonly deadline: number,
  ) {}

  /** The key's value; `undefined` when there is none. */
  async get(key: string): Promise<unknown> {
    const value = await this.call('get', () => this.cache.get(key));
    return value === null ? undefined : value;
  }

  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    const answer = await this.call('set', () => this.cache.set(key, value, ttl));
    // A Keyv emits an event and answers false when its store fails.
    if (answer === false) {
      throw new SseError('UNAVAILABLE', 'set() of the cache answered false.');
    }
  }

  /**
   * Removes the value that was read. If the cache does not confirm this, it looks again: a value that
   * remains would be taken again and again.
   */
  async remove(key: string, held: unknown): Promise<void> {
    const { cache } = this;
    const name = typeof cache.del === 'function' ? 'del' : 'delete';
    const answer = await this.call(name, () => cache[name]!(key));
    if (answer === true || (typeof answer === 'number' && answer > 0)) {
      return;
    }
    if (isSame(await this.get(key), held)) {
      throw new SseError('UNAVAILABLE', `${name}() of the cache has removed nothing.`);
    }
  }

  private async call(name: string, call: () => unknown): Promise<unknown> {
    // The cache may return something other than a promise. If it throws, the promise rejects.
    const answer = (async () => call())();
    return withDeadline(answer, this.deadline, `${name}() of the cache`);
  }
}

function isSame(value: unknown, held: unknown): boolean {
  if (value === held || value === undefined) {
    return value !== undefined;
  }
  try {
    return textOf(value) === textOf(held);
  } catch {
    return false;
  }
}
