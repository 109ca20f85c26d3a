import { SseError } from '../../channel/sse-error.js';
import { textOf } from '../../channel/value-text.js';
import {
  DEFAULT_MAX_WAITING,
  DEFAULT_WAITING_TTL_MS,
  type KeyEvent,
  type KeyReading,
  type KeyStore,
  type WaitingLimits,
} from './key-store.js';
import {
  formatWaiting,
  inOrder,
  parseWaiting,
  tooManyWaiting,
  waitingKey,
  type WaitingEvent,
} from './waiting-event.js';

/** A cache of the user's, such as cache-manager's or Keyv. Times to live are milliseconds. */
export interface CacheLike {
  /** The key's value, or a promise of it; `undefined` or `null` when there is none. */
  get(key: string): unknown;
  /** Sets the key, for `ttl` milliseconds if given. */
  set(key: string, value: unknown, ttl?: number): unknown;
  /** Removes the key. One of `del` and `delete` must be there. */
  del?(key: string): unknown;
  /** Removes the key, where there is no `del`. */
  delete?(key: string): unknown;
  /** Tells of the store's own writes, which are then not waited for until the next poll. */
  on?(event: 'set', listener: (set: { key?: unknown }) => void): unknown;
  /** Ends what `on` began. */
  off?(event: 'set', listener: (set: { key?: unknown }) => void): unknown;
}

/** Whether a value can serve as a cache. */
export function isCacheLike(value: unknown): value is CacheLike {
  const cache = value as CacheLike | null | undefined;
  return (
    typeof cache?.get === 'function' &&
    typeof cache.set === 'function' &&
    (typeof cache.del === 'function' || typeof cache.delete === 'function')
  );
}

/**
 * Keys in any cache with `get`, `set` and `del`. Values that are no strings are encoded
 * as JSON.
 *
 * Such a cache has no atomic take: a value that is written between our `get` and our
 * `del` is lost, and two instances on a shared cache may both get one. Where that
 * matters, use Redis itself. Within this process `sendKey` neither loses nor doubles.
 */
export class AdapterKeyStore implements KeyStore {
  readonly polled = true;
  private readonly maxWaiting: number;
  private readonly waitingTtl: number;
  private readonly lastCall = new Map<string, Promise<unknown>>();

  /** @throws SseError `INVALID_OPTION` when the cache lacks a method */
  constructor(
    private readonly cache: CacheLike,
    limits: WaitingLimits = {},
  ) {
    if (!isCacheLike(cache)) {
      throw new SseError(
        'INVALID_OPTION',
        'The cache has no `get`, `set` and `del` (or `delete`). Pass one that has, such as ' +
          "cache-manager's `createCache()`, a Keyv, or your own object.",
      );
    }
    this.maxWaiting = limits.maxWaiting ?? DEFAULT_MAX_WAITING;
    this.waitingTtl = limits.waitingTtl ?? DEFAULT_WAITING_TTL_MS;
  }

  take(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return Promise.all(keys.map((key) => this.alone(key, () => this.read(key, true))));
  }

  look(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return Promise.all(keys.map((key) => this.alone(key, () => this.read(key, false))));
  }

  push(key: string, event: KeyEvent): Promise<void> {
    return this.alone(key, async () => {
      const waiting = await this.waiting(key);
      if (waiting.length >= this.maxWaiting) {
        throw tooManyWaiting(key, this.maxWaiting);
      }
      const flag = isSet(await this.cache.get(key)) ? '1' : '0';
      await this.wait(key, [...waiting, `${flag}${formatWaiting(event)}`]);
    });
  }

  giveBack(key: string, events: readonly KeyEvent[]): Promise<void> {
    return this.alone(key, async () => {
      const returned = events.map((event) => `0${formatWaiting(event)}`);
      await this.wait(key, [...returned, ...(await this.waiting(key))]);
    });
  }

  set(key: string, value: string): Promise<void> {
    return this.alone(key, async () => void (await this.cache.set(key, value)));
  }

  delete(key: string): Promise<void> {
    return this.alone(key, async () => {
      await this.remove(key);
      await this.remove(waitingKey(key));
    });
  }

  /** A cache that tells of its own writes, as cache-manager does, need not wait for the poll. */
  onSet(listener: (key: string) => void): () => void {
    const onSet = ({ key }: { key?: unknown }) => {
      if (typeof key === 'string') {
        listener(key);
      }
    };
    if (typeof this.cache.on !== 'function' || typeof this.cache.off !== 'function') {
      return () => undefined;
    }
    this.cache.on('set', onSet);
    return () => void this.cache.off?.('set', onSet);
  }

  private async read(key: string, take: boolean): Promise<KeyReading> {
    try {
      const waiting = (await this.waiting(key)).map(parseWaiting);
      const held = await this.cache.get(key);
      const values = isSet(held) ? [textOf(held)] : [];
      if (take) {
        return await this.takeAway(key, waiting, values);
      }
      const last = waiting.at(-1)?.data;
      if (last !== undefined) {
        await this.cache.set(key, last);
        await this.remove(waitingKey(key));
      }
      const events = waiting.map(({ data, type, id }): KeyEvent => ({ data, type, id }));
      return { events, value: last ?? values[0] };
    } catch (error) {
      return error instanceof SseError
        ? { events: [], refused: error.message }
        : { events: [], failure: error };
    }
  }

  /** What could be removed has been taken, even if the cache fails half-way. */
  private async takeAway(
    key: string,
    waiting: readonly WaitingEvent[],
    values: readonly string[],
  ): Promise<KeyReading> {
    if (waiting.length > 0) {
      await this.remove(waitingKey(key));
    }
    try {
      if (values.length > 0) {
        await this.remove(key);
      }
    } catch (error) {
      return { events: inOrder(waiting, []), failure: error };
    }
    return { events: inOrder(waiting, values) };
  }

  private async waiting(key: string): Promise<readonly string[]> {
    const held = await this.cache.get(waitingKey(key));
    return Array.isArray(held) ? (held as string[]) : [];
  }

  private async wait(key: string, texts: readonly string[]): Promise<void> {
    await this.cache.set(waitingKey(key), texts, this.waitingTtl);
  }

  private async remove(key: string): Promise<void> {
    await (this.cache.del ? this.cache.del(key) : this.cache.delete?.(key));
  }

  /** Steps on one key come one after the other: a list is read, changed and written back. */
  private async alone<T>(key: string, step: () => Promise<T>): Promise<T> {
    const before = this.lastCall.get(key);
    const call = (before ?? Promise.resolve()).then(step, step);
    this.lastCall.set(key, call);
    try {
      return await call;
    } finally {
      if (this.lastCall.get(key) === call) {
        this.lastCall.delete(key);
      }
    }
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
