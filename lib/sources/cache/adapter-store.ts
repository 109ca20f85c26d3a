import { reasonOf } from '../../channel/reason.js';
import { SseError } from '../../channel/sse-error.js';
import { textOf, type Serialize } from '../../channel/value-text.js';
import { CACHE_DEADLINE_MS, CacheCalls, type CacheLike } from './cache-calls.js';
import { pick, readOptions } from '../options/option-table.js';
import {
  WAITING_LIMITS,
  type KeyEvent,
  type KeyReading,
  type KeyStore,
  type Skipped,
  type WaitingLimits,
} from './key-store.js';
import {
  formatWaiting,
  inOrder,
  NO_WAITING_EVENT,
  parseWaiting,
  tooManyWaiting,
  waitingKey,
  type WaitingEvent,
} from './waiting-event.js';

/** How to call the application's cache. */
export interface AdapterLimits extends WaitingLimits {
  /** How long one call of the cache may take, in milliseconds. Default 5,000. */
  readonly deadline?: number | undefined;
  /** Turns values other than strings into text. Default: as JSON. */
  readonly serialize?: Serialize | undefined;
}

/** The content of a key and of the list beside it. */
interface Held {
  readonly value: unknown;
  /** The list as the cache gave it. */
  readonly list: unknown;
  readonly waiting: readonly WaitingEvent[];
  readonly skipped: Skipped | undefined;
}

/**
 * Keys in any cache with `get`, `set` and `del`.
 *
 * Such a cache has no atomic take: a value that is written between our `get` and our
 * `del` is lost, and two instances on a shared cache may both get one. Where that
 * matters, use Redis itself. Within this process `sendKey` neither loses nor doubles, as long as
 * the cache answers.
 */
export class AdapterKeyStore implements KeyStore {
  readonly polled = true;
  readonly readsAlone = true;
  private readonly calls: CacheCalls;
  private readonly maxWaiting: number;
  private readonly waitingTtl: number;
  private readonly serialize: Serialize | undefined;
  private readonly lastCall = new Map<string, Promise<unknown>>();

  constructor(
    private readonly cache: CacheLike,
    limits: AdapterLimits = {},
  ) {
    this.calls = new CacheCalls(cache, limits.deadline ?? CACHE_DEADLINE_MS);
    const waiting = readOptions(WAITING_LIMITS, pick(WAITING_LIMITS, limits));
    this.maxWaiting = waiting.maxWaiting;
    this.waitingTtl = waiting.waitingTtl;
    this.serialize = limits.serialize;
  }

  take(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return Promise.all(keys.map((key) => this.alone(key, () => this.takeOne(key))));
  }

  look(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return Promise.all(keys.map((key) => this.alone(key, () => this.lookAt(key))));
  }

  push(key: string, event: KeyEvent): Promise<void> {
    return this.alone(key, () =>
      this.available(async () => {
        const waiting = await this.waiting(key);
        if (waiting.length >= this.maxWaiting) {
          throw tooManyWaiting(key, this.maxWaiting);
        }
        const flag = (await this.calls.get(key)) === undefined ? '0' : '1';
        await this.wait(key, [...waiting, `${flag}${formatWaiting(event)}`]);
      }),
    );
  }

  giveBack(key: string, events: readonly KeyEvent[]): Promise<void> {
    return this.alone(key, async () => {
      const returned = events.map((event) => `0${formatWaiting(event)}`);
      await this.wait(key, [...returned, ...(await this.waiting(key))]);
    });
  }

  set(key: string, value: string): Promise<void> {
    return this.alone(key, () => this.available(() => this.calls.set(key, value)));
  }

  /** A cache such as cache-manager reports its own writes, so these need not wait for the next poll. */
  onSet(listener: (key: string) => void): () => void {
    const onSet = (set?: { key?: unknown } | null) => {
      if (typeof set?.key === 'string') {
        listener(set.key);
      }
    };
    if (typeof this.cache.on !== 'function' || typeof this.cache.off !== 'function') {
      return () => undefined;
    }
    this.cache.on('set', onSet);
    return () => void this.cache.off?.('set', onSet);
  }

  private async takeOne(key: string): Promise<KeyReading> {
    let held: Held;
    try {
      held = await this.held(key);
    } catch (failure) {
      return { events: [], failure };
    }
    const { value, waiting } = held;
    const { value: text, refused } = this.valueOf(value);
    const values = text === undefined ? [] : [text];
    const skipped =
      held.skipped ?? (refused === undefined ? undefined : { count: 1, why: refused });
    // A removed value is taken, even if the cache fails after that. A value that was not removed may
    // go later, by a call that was not answered in time.
    try {
      if (held.list !== undefined) {
        await this.calls.remove(waitingKey(key), held.list);
      }
    } catch (failure) {
      return { events: [], failure, lost: true };
    }
    try {
      if (value !== undefined) {
        await this.calls.remove(key, value);
      }
    } catch (failure) {
      return { events: inOrder(waiting, []), failure, lost: true };
    }
    return { events: inOrder(waiting, values), skipped };
  }

  private async lookAt(key: string): Promise<KeyReading> {
    try {
      const { value, list, waiting, skipped } = await this.held(key);
      const last = waiting.at(-1);
      // A value that has come after the last event stays.
      const isLast = last !== undefined && (last.afterValue || value === undefined);
      if (isLast) {
        await this.calls.set(key, last.data);
      }
      if (list !== undefined) {
        await this.calls.remove(waitingKey(key), list);
      }
      const events = waiting.map(({ data, type, id }): KeyEvent => ({ data, type, id }));
      return { events, skipped, ...this.valueOf(isLast ? last.data : value) };
    } catch (failure) {
      return { events: [], failure };
    }
  }

  private valueOf(value: unknown): Pick<KeyReading, 'value' | 'refused'> {
    try {
      return { value: value === undefined ? undefined : textOf(value, this.serialize) };
    } catch (error) {
      return { refused: reasonOf(error) };
    }
  }

  private async held(key: string): Promise<Held> {
    const list = await this.calls.get(waitingKey(key));
    const texts: readonly unknown[] = list === undefined ? [] : Array.isArray(list) ? list : [list];
    const waiting = texts.map(parseWaiting).filter((event) => event !== undefined);
    const count = texts.length - waiting.length;
    return {
      value: await this.calls.get(key),
      list,
      waiting,
      skipped: count > 0 ? { count, why: NO_WAITING_EVENT } : undefined,
    };
  }

  private async waiting(key: string): Promise<readonly unknown[]> {
    const list = await this.calls.get(waitingKey(key));
    return Array.isArray(list) ? (list as unknown[]) : [];
  }

  private async wait(key: string, texts: readonly unknown[]): Promise<void> {
    await this.calls.set(waitingKey(key), texts, this.waitingTtl);
  }

  /** Turns every failure of the cache into an `SseError`. */
  private async available(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (cause) {
      if (cause instanceof SseError) {
        throw cause;
      }
      throw new SseError('UNAVAILABLE', `The cache did not take a value: ${reasonOf(cause)}`, {
        cause,
      });
    }
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
