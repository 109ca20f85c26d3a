/** The most steps a round is cut into. */
const MAX_STEPS = 64;
/** The shortest time between two steps, in milliseconds. */
const MIN_STEP_MS = 20;

/** Members in the order in which they came, such as a `Map` or a `Set` has them. */
interface Members<T> {
  readonly size: number;
  keys(): IterableIterator<T>;
}

/**
 * Visits every member of a collection about once per period, in steps spread over the period,
 * with one timer for all. A member costs nothing, and many are never visited in one wave.
 */
export class Walk<T> {
  private readonly steps: number;
  private timer: NodeJS.Timeout | undefined;
  private at: Iterator<T> | undefined;
  /** The number of visits by which the steps so far are behind. */
  private due = 0;

  constructor(
    private readonly members: Members<T>,
    private readonly period: number,
    private readonly visit: (member: T) => void,
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R = (run) => run(),
  ) {
    this.steps = Math.max(1, Math.min(MAX_STEPS, Math.floor(period / MIN_STEP_MS)));
  }

  /** Walks from now on, until it is stopped or finds no member. */
  start(): void {
    if (!this.timer) {
      const timer = this.detach(() => setInterval(() => this.step(), this.period / this.steps));
      this.timer = timer.unref();
    }
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.at = undefined;
    this.due = 0;
  }

  private step(): void {
    if (this.members.size === 0) {
      this.stop();
      return;
    }
    // Never more than one round: visiting others twice would not make up for members that left.
    this.due = Math.min(this.due + this.members.size / this.steps, this.members.size);
    while (this.due >= 1) {
      this.due--;
      const member = this.next();
      if (member === undefined) {
        this.due = 0;
        return;
      }
      this.visit(member);
    }
  }

  private next(): T | undefined {
    this.at ??= this.members.keys();
    let { value } = this.at.next();
    if (value === undefined) {
      this.at = this.members.keys();
      ({ value } = this.at.next());
    }
    return value as T | undefined;
  }
}
