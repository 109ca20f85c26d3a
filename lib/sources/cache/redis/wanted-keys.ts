import type { PollRate } from '../key-store.js';

/** The keys that one instance wants polled. */
interface Wants {
  /** The number of the last change in `rates`. */
  version: number;
  readonly rates: Map<string, PollRate>;
}

/** Pairs of a key and its rate as text; an empty text means that the key is no longer wanted. */
export type Changes = readonly string[];

export function rateText({ interval, maxInterval }: PollRate): string {
  return `${interval}/${maxInterval}`;
}

/** The keys that any instance wants polled. Only the poller keeps this record. */
export class WantedKeys {
  private readonly byInstance = new Map<string, Wants>();

  /** @param poll polls a key at a rate, or no longer */
  constructor(private readonly poll: (key: string, rate: PollRate | undefined) => void) {}

  /** The number of an instance's last known change; 0 for an unknown instance. */
  versionOf(instance: string): number {
    return this.byInstance.get(instance)?.version ?? 0;
  }

  /** Takes over everything that an instance wants. */
  replace(instance: string, version: number, rates: Changes): void {
    const before = this.byInstance.get(instance)?.rates ?? new Map<string, PollRate>();
    const wants: Wants = { version, rates: ratesOf(rates) };
    this.byInstance.set(instance, wants);
    for (const key of new Set([...before.keys(), ...wants.rates.keys()])) {
      this.settle(key);
    }
  }

  /** Takes over a change. False when a change before it was missed. */
  change(instance: string, version: number, changes: Changes): boolean {
    const wants = this.byInstance.get(instance);
    if (!wants || version > wants.version + 1) {
      return false;
    }
    if (version === wants.version + 1) {
      wants.version = version;
      for (let n = 0; n < changes.length; n += 2) {
        wants.rates.delete(changes[n]!);
      }
      ratesOf(changes).forEach((rate, key) => wants.rates.set(key, rate));
      for (let n = 0; n < changes.length; n += 2) {
        this.settle(changes[n]!);
      }
    }
    return true;
  }

  keepOnly(instances: ReadonlyMap<string, unknown>): void {
    for (const instance of this.byInstance.keys()) {
      if (!instances.has(instance)) {
        this.forget(instance);
      }
    }
  }

  forget(instance: string): void {
    const wants = this.byInstance.get(instance);
    this.byInstance.delete(instance);
    wants?.rates.forEach((_, key) => this.settle(key));
  }

  /** Polls the key at the shortest interval that any instance wants. */
  private settle(key: string): void {
    let [interval, maxInterval] = [Infinity, Infinity];
    for (const { rates } of this.byInstance.values()) {
      const rate = rates.get(key);
      interval = Math.min(interval, rate?.interval ?? Infinity);
      maxInterval = Math.min(maxInterval, rate?.maxInterval ?? Infinity);
    }
    this.poll(key, interval === Infinity ? undefined : { interval, maxInterval });
  }
}

function ratesOf(pairs: Changes): Map<string, PollRate> {
  const rates = new Map<string, PollRate>();
  for (let n = 0; n + 1 < pairs.length; n += 2) {
    const [interval, maxInterval] = pairs[n + 1]!.split('/').map(Number);
    if (interval! > 0 && maxInterval! > 0) {
      rates.set(pairs[n]!, { interval: interval!, maxInterval: maxInterval! });
    }
  }
  return rates;
}
