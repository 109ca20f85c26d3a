import { monotonicNow } from '../../channel/clock.js';
import { textOf } from '../../channel/value-text.js';
import { readOptions } from '../options/option-table.js';
import {
  WAITING_LIMITS,
  type KeyEvent,
  type KeyReading,
  type KeyStore,
  type WaitingLimits,
} from './key-store.js';
import { tooManyWaiting } from './waiting-event.js';

interface Item extends KeyEvent {
  /** True for the key's value, false for an event that `sendKey` left. */
  readonly value: boolean;
}

interface Slot {
  /** Items that nobody has taken yet, oldest first. At most one of them is the key's value. */
  items: Item[];
  value: string | undefined;
  expires: number;
}

const NOTHING: KeyReading = { events: [] };

/** Keys in this process. Setting a key wakes its readers, so nobody polls. */
export class MemoryKeyStore implements KeyStore {
  readonly polled = false;
  private readonly slots = new Map<string, Slot>();
  private readonly listeners = new Set<(key: string) => void>();
  private readonly maxWaiting: number;
  private readonly waitingTtl: number;
  private nextSweep = 0;

  /** @throws SseError `INVALID_OPTION` */
  constructor(limits: WaitingLimits = {}) {
    const { maxWaiting, waitingTtl } = readOptions(WAITING_LIMITS, limits, '', 'MemoryStore: ');
    this.maxWaiting = maxWaiting;
    this.waitingTtl = waitingTtl;
  }

  get size(): number {
    return this.slots.size;
  }

  async take(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return keys.map((key) => {
      const slot = this.slots.get(key);
      this.slots.delete(key);
      return slot ? { events: slot.items.map(keyEventOf) } : NOTHING;
    });
  }

  async look(keys: readonly string[]): Promise<readonly KeyReading[]> {
    return keys.map((key) => {
      const slot = this.slots.get(key);
      if (!slot) {
        return NOTHING;
      }
      const events = slot.items.filter((item) => !item.value).map(keyEventOf);
      slot.value = slot.items.at(-1)?.data ?? slot.value;
      slot.items = [];
      if (slot.value !== undefined) {
        slot.items.push({ data: slot.value, value: true });
      }
      return { events, value: slot.value };
    });
  }

  async push(key: string, event: KeyEvent): Promise<void> {
    this.dropExpired();
    const slot = this.slot(key);
    if (slot.items.length >= this.maxWaiting) {
      throw tooManyWaiting(key, this.maxWaiting);
    }
    slot.items.push({ ...event, value: false });
    slot.expires = monotonicNow() + this.waitingTtl;
    this.wake(key);
  }

  async giveBack(key: string, events: readonly KeyEvent[]): Promise<void> {
    this.slot(key).items.unshift(...events.map((event) => ({ ...event, value: false })));
  }

  /** The key's value; `undefined` when it is missing or taken. */
  async get(key: string): Promise<string | undefined> {
    return this.slots.get(key)?.value;
  }

  /** Sets the key to a string, or to anything else as JSON. */
  async set(key: string, value: unknown): Promise<void> {
    const data = textOf(value);
    const slot = this.slot(key);
    slot.items = slot.items.filter((item) => !item.value);
    slot.items.push({ data, value: true });
    slot.value = data;
    this.wake(key);
  }

  async delete(key: string): Promise<void> {
    this.slots.delete(key);
    this.wake(key);
  }

  onSet(listener: (key: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private wake(key: string): void {
    for (const listener of this.listeners) {
      listener(key);
    }
  }

  private slot(key: string): Slot {
    let slot = this.slots.get(key);
    if (!slot) {
      slot = { items: [], value: undefined, expires: monotonicNow() + this.waitingTtl };
      this.slots.set(key, slot);
    }
    return slot;
  }

  /** Events that nobody ever reads must not fill the memory; a value stays until it is deleted. */
  private dropExpired(): void {
    const now = monotonicNow();
    if (now < this.nextSweep) {
      return;
    }
    this.nextSweep = now + Math.min(this.waitingTtl, 60_000);
    for (const [key, slot] of this.slots) {
      if (slot.expires <= now) {
        slot.items = slot.items.filter((item) => item.value);
        if (slot.items.length === 0) {
          this.slots.delete(key);
        }
      }
    }
  }
}

function keyEventOf({ data, type, id }: Item): KeyEvent {
  return { data, type, id };
}
