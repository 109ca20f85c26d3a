/** The most slots a round is cut into. */
const MAX_SLOTS = 64;
/** The shortest time between two slots, in milliseconds. */
const MIN_TICK_MS = 20;

/**
 * Visits every member once per period, spread over the period, with one timer for all
 * of them: so heartbeats of many connections never go out in one wave.
 */
export class Rounds<T> {
  private readonly slots: Set<T>[];
  private readonly slotOf = new Map<T, Set<T>>();
  private readonly tick: number;
  private timer: NodeJS.Timeout | undefined;
  private nextSlot = 0;
  private nextAdd = 0;

  constructor(
    period: number,
    private readonly visit: (member: T) => void,
  ) {
    const count = Math.max(1, Math.min(MAX_SLOTS, Math.floor(period / MIN_TICK_MS)));
    this.slots = Array.from({ length: count }, () => new Set<T>());
    this.tick = period / count;
  }

  add(member: T): void {
    const slot = this.slots[this.nextAdd++ % this.slots.length]!;
    slot.add(member);
    this.slotOf.set(member, slot);
    if (!this.timer) {
      this.timer = setInterval(() => this.turn(), this.tick);
      this.timer.unref();
    }
  }

  delete(member: T): void {
    this.slotOf.get(member)?.delete(member);
    this.slotOf.delete(member);
    if (this.slotOf.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  private turn(): void {
    const slot = this.slots[this.nextSlot++ % this.slots.length]!;
    for (const member of slot) {
      this.visit(member);
    }
  }
}
