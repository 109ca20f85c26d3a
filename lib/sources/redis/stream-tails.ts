import { AsyncLocalStorage } from 'node:async_hooks';
import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import type { StreamReading } from './stream-reading.js';

/** Streams per round trip. */
const BATCH = 500;
/** The pause before we ask again for a tail after a failure. */
const RETRY = { first: 200, most: 5_000 };
/** How often we look for tails that are due. */
const TICK_MS = 100;

/** Takes the ends of streams. */
export interface TailReader {
  /** Whether somebody still reads this stream. */
  isOpen(key: string): boolean;
  tailIs(key: string, id: string): void;
}

/** The failures to read one tail, and when to ask for it again. */
interface Failed {
  attempts: number;
  due: number;
}

/** Asks Redis where streams end, for all streams of one turn together, until Redis has answered. */
export class StreamTails {
  private readonly asked = new Set<string>();
  private readonly failed = new Map<string, Failed>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private asking: NodeJS.Immediate | undefined;
  private tick: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly reading: StreamReading,
    private readonly reader: TailReader,
  ) {}

  ask(keys: Iterable<string>): void {
    for (const key of keys) {
      this.asked.add(key);
    }
    if (this.asked.size > 0 && !this.stopped) {
      this.asking ??= this.detach(() => setImmediate(() => void this.askAll()));
    }
  }

  stop(): void {
    this.stopped = true;
    clearImmediate(this.asking);
    clearInterval(this.tick);
  }

  private async askAll(): Promise<void> {
    this.asking = undefined;
    const keys = [...this.asked].filter((key) => this.reader.isOpen(key));
    this.asked.clear();
    for (let start = 0; start < keys.length; start += BATCH) {
      await this.askFor(keys.slice(start, start + BATCH));
    }
  }

  private async askFor(keys: readonly string[]): Promise<void> {
    const replies = await this.reading.tails(keys);
    keys.forEach((key, index) => {
      const reply = replies[index]!;
      if ('ok' in reply) {
        this.failed.delete(key);
        this.reader.tailIs(key, String(reply.ok));
      } else {
        this.askLater(key);
      }
    });
  }

  private askLater(key: string): void {
    const attempts = this.failed.get(key)?.attempts ?? 0;
    this.failed.set(key, {
      attempts: attempts + 1,
      due: monotonicNow() + backoff(attempts, RETRY),
    });
    if (!this.stopped) {
      this.tick ??= this.detach(() => setInterval(() => this.askDue(), TICK_MS).unref());
    }
  }

  private askDue(): void {
    const now = monotonicNow();
    for (const [key, failed] of this.failed) {
      if (!this.reader.isOpen(key)) {
        this.failed.delete(key);
      } else if (failed.due <= now) {
        // It is not due again before the answer.
        failed.due = Infinity;
        this.ask([key]);
      }
    }
    if (this.failed.size === 0) {
      clearInterval(this.tick);
      this.tick = undefined;
    }
  }
}
