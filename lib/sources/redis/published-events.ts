import { monotonicNow } from '../../channel/clock.js';
import type { StreamReading } from './stream-reading.js';

/** How long it is remembered that something was published, to see whether it is still there. */
const REMEMBERED_MS = 60_000;
/** How many streams are verified at a time. */
const BATCH = 500;

interface Published {
  readonly id: string;
  readonly time: number;
}

/**
 * What this instance has published to each stream last. It was acknowledged, so it must still be
 * there after an outage, whoever reads the stream.
 */
export class PublishedEvents {
  private readonly last = new Map<string, Published>();
  private readonly longest: number;

  /**
   * @param age for how long events are retained, in ms
   * @param reading finds out what became of an event
   */
  constructor(
    age: number,
    private readonly reading: StreamReading,
  ) {
    this.longest = Math.min(REMEMBERED_MS, age / 2);
    // Whoever noticed it: once it is announced, there is nothing more to find out.
    reading.onLoss = (key) => void this.last.delete(key);
  }

  note(key: string, id: string): void {
    this.last.set(key, { id, time: monotonicNow() });
  }

  async verifyAll(): Promise<void> {
    const now = monotonicNow();
    for (const [key, { time }] of this.last) {
      if (now - time > this.longest) {
        this.last.delete(key);
      }
    }
    const published = [...this.last];
    for (let start = 0; start < published.length; start += BATCH) {
      const batch = published.slice(start, start + BATCH);
      await Promise.allSettled(batch.map(([key, { id }]) => this.reading.verify(key, id)));
    }
  }
}
