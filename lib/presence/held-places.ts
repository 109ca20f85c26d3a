import { monotonicNow } from '../channel/clock.js';
import type { Seat } from './seat.js';

interface Leaving {
  readonly seat: Seat;
  /** On the clock of `monotonicNow()`. */
  readonly until: number;
}

/** The places of one seat that are held. */
interface Held {
  /** How many are held. */
  places: number;
  /** How many were taken again, or given up before, so that nothing happens when their time comes. */
  taken: number;
}

/**
 * Holds the places of connections that have ended, for the grace: a client that comes back, or another
 * one without identity, takes its place again, and nobody hears of it.
 */
export class HeldPlaces {
  private readonly held = new Map<Seat, Held>();
  /** The oldest first. */
  private readonly leaving = new Set<Leaving>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    /** For how long, in milliseconds. */
    private readonly grace: number,
    /** Called when places of a seat are given up. */
    private readonly giveUp: (seat: Seat) => void,
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R,
  ) {}

  of(seat: Seat): number {
    return this.held.get(seat)?.places ?? 0;
  }

  hold(seat: Seat): void {
    if (this.grace === 0) {
      this.giveUp(seat);
      return;
    }
    const held = this.held.get(seat);
    if (held) {
      held.places++;
    } else {
      this.held.set(seat, { places: 1, taken: 0 });
    }
    this.leaving.add({ seat, until: monotonicNow() + this.grace });
    this.timer ??= this.detach(() => setTimeout(this.look, this.grace).unref());
  }

  /** Takes a place that is held. Returns whether there was one. */
  take(seat: Seat): boolean {
    const held = this.held.get(seat);
    if (!held || held.places === 0) {
      return false;
    }
    held.places--;
    held.taken++;
    return true;
  }

  /** Gives up the places of seats at once. */
  release(isMeant: (seat: Seat) => boolean): void {
    for (const [seat, held] of this.held) {
      if (held.places > 0 && isMeant(seat)) {
        held.taken += held.places;
        held.places = 0;
        this.giveUp(seat);
      }
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    this.leaving.clear();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const now = monotonicNow();
    for (const one of this.leaving) {
      if (one.until > now) {
        this.timer = setTimeout(this.look, one.until - now).unref();
        return;
      }
      this.leaving.delete(one);
      this.end(one.seat);
    }
  };

  private end(seat: Seat): void {
    const held = this.held.get(seat)!;
    if (held.taken > 0) {
      held.taken--;
    } else {
      held.places--;
      this.giveUp(seat);
    }
    if (held.places === 0 && held.taken === 0) {
      this.held.delete(seat);
    }
  }
}
