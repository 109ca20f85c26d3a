import { preciseNow } from '../channel/clock.js';
import type { PacedWork } from './paced-work.js';

/** How many times as long as it took to make something it is kept: each thing takes a fifth of a percent of a core. */
const KEEP_FACTOR = 500;
/** The shortest and longest time for which something is kept, in milliseconds. */
const MIN_KEEP_MS = 250;
const MAX_KEEP_MS = 5_000;
/** The most things that are kept. */
const MOST_KEPT = 16;

interface KeptThing<T> {
  readonly value: Promise<T>;
  /** On the clock of `preciseNow()`; `Infinity` while it is made. */
  until: number;
}

/**
 * What was made of all channels or connections. It is made once for all requests that ask for it at the same time
 * or soon after, and kept the longer, the longer it took.
 */
export class Kept<T> {
  private readonly things = new Map<string, KeptThing<T>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly work: PacedWork,
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R,
  ) {}

  /**
   * @param basis what it is made of, if that has to be made first
   * @throws HttpException 503 when too much waits
   */
  get<Basis = undefined>(
    name: string,
    make: (basis: Basis) => Promise<T>,
    basis?: () => Promise<Basis>,
  ): Promise<T> {
    const known = this.things.get(name);
    if (known && preciseNow() < known.until) {
      return known.value;
    }
    this.things.delete(name);
    const thing: KeptThing<T> = {
      value: this.detach(() => this.made(make, basis, () => thing)),
      until: Infinity,
    };
    this.things.set(name, thing);
    const [oldest] = this.things.keys();
    if (this.things.size > MOST_KEPT) {
      this.things.delete(oldest!);
    }
    thing.value.catch(() => this.forget(name, thing));
    this.timer ??= this.detach(() => setTimeout(() => this.forgetOld(), MAX_KEEP_MS)).unref();
    return thing.value;
  }

  private async made<Basis>(
    make: (basis: Basis) => Promise<T>,
    basis: (() => Promise<Basis>) | undefined,
    thing: () => KeptThing<T>,
  ): Promise<T> {
    // Before the work begins: the basis is work of its own.
    const given = (await basis?.()) as Basis;
    return this.work.do(async () => {
      const began = preciseNow();
      const value = await make(given);
      const now = preciseNow();
      const keep = Math.max(MIN_KEEP_MS, Math.min((now - began) * KEEP_FACTOR, MAX_KEEP_MS));
      thing().until = now + keep;
      return value;
    });
  }

  private forget(name: string, thing: KeptThing<T>): void {
    if (this.things.get(name) === thing) {
      this.things.delete(name);
    }
  }

  /** Lets go of channels and connections that nobody asks for any more. */
  private forgetOld(): void {
    this.timer = undefined;
    const now = preciseNow();
    for (const [name, { until }] of this.things) {
      if (until <= now) {
        this.things.delete(name);
      }
    }
    if (this.things.size > 0) {
      this.timer = setTimeout(() => this.forgetOld(), MAX_KEEP_MS).unref();
    }
  }
}
