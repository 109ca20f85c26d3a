import { AsyncLocalStorage } from 'node:async_hooks';
import { monotonicNow } from '../../channel/clock.js';

export interface Scheduled {
  /** Its place within the interval, from 0 to below 1. */
  readonly phase: number;
  state: 'idle' | 'due' | 'soon' | 'reading';
  /** When it is or was last due, on the clock of `monotonicNow()`; 0: never. */
  due: number;
  /** The present interval, in milliseconds. */
  wait: number;
}

interface Bucket<T> {
  readonly entries: Set<T>;
  readonly timer: NodeJS.Timeout;
}

/** Runs together the entries that are due at the same time. Its timers do not keep the process alive. */
export class PollSchedule<T extends Scheduled> {
  private readonly buckets = new Map<number, Bucket<T>>();
  private readonly soon = new Set<T>();
  /** A poll that a request starts must not continue in that request's async context. */
  private readonly detach = AsyncLocalStorage.snapshot();
  private immediate: NodeJS.Immediate | undefined;

  constructor(private readonly run: (entries: readonly T[]) => void) {}

  /** Makes the entry due at the end of this turn of the event loop. */
  addSoon(entry: T): void {
    entry.state = 'soon';
    this.soon.add(entry);
    this.immediate ??= this.detach(() =>
      setImmediate(() => {
        this.immediate = undefined;
        const batch = [...this.soon];
        this.soon.clear();
        this.run(batch);
      }).unref(),
    );
  }

  /** Makes the entry due at a time on the clock of `monotonicNow()`. */
  addAt(entry: T, due: number): void {
    entry.due = due;
    entry.state = 'due';
    let bucket = this.buckets.get(due);
    if (!bucket) {
      bucket = this.openBucket(due);
    }
    bucket.entries.add(entry);
  }

  /** Makes the entry due at its own point of the next interval. */
  addNext(entry: T): void {
    const { due, wait, phase } = entry;
    const offset = Math.round(phase * wait);
    // A timer may fire a little early; the time it was set for is not due again.
    const after = Math.max(monotonicNow(), due);
    this.addAt(entry, (Math.floor((after - offset) / wait) + 1) * wait + offset);
  }

  remove(entry: T): void {
    const bucket = entry.state === 'due' ? this.buckets.get(entry.due) : undefined;
    bucket?.entries.delete(entry);
    if (bucket?.entries.size === 0) {
      clearTimeout(bucket.timer);
      this.buckets.delete(entry.due);
    }
    this.soon.delete(entry);
    entry.state = 'idle';
    entry.due = 0;
  }

  stop(): void {
    this.buckets.forEach(({ timer }) => clearTimeout(timer));
    this.buckets.clear();
    clearImmediate(this.immediate);
    this.soon.clear();
  }

  private openBucket(due: number): Bucket<T> {
    const fire = () => {
      this.buckets.delete(due);
      this.run([...bucket.entries]);
    };
    const delay = Math.max(0, due - monotonicNow());
    const bucket: Bucket<T> = {
      entries: new Set(),
      timer: this.detach(() => setTimeout(fire, delay).unref()),
    };
    this.buckets.set(due, bucket);
    return bucket;
  }
}
