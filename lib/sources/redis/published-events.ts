import { monotonicNow } from '../../channel/clock.js';

/** How long we remember what was published, to see whether Redis still has it. */
const REMEMBERED_MS = 60_000;
/** How long we remember it while Redis cannot tell: by then it may have expired. */
const FORGOTTEN_MS = 600_000;
/** How many streams we verify at a time. */
const BATCH = 500;

interface Published {
  readonly id: string;
  readonly number: number;
  readonly time: number;
}

/** What was published last. */
export interface LastPublished {
  readonly id: string;
  /** The number of the call. */
  readonly number: number;
  /** How many ms ago that was. */
  readonly ago: number;
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
   * @param verify finds out what became of what was published last; rejects when that cannot be
   * known yet
   */
  constructor(
    age: number,
    private readonly verify: (key: string, id: string) => Promise<unknown>,
  ) {
    this.longest = Math.min(REMEMBERED_MS, age / 2);
  }

  /** @param number that of the call */
  note(key: string, id: string, number: number): void {
    this.last.set(key, { id, number, time: monotonicNow() });
  }

  /** What was published last, if that is remembered. */
  lastOf(key: string): LastPublished | undefined {
    const published = this.last.get(key);
    return published && { ...published, ago: monotonicNow() - published.time };
  }

  /**
   * It is known that it was lost, and it was announced.
   * @param id what was lost. Default: whatever was published last
   */
  forget(key: string, id?: string): void {
    if (id === undefined || this.last.get(key)?.id === id) {
      this.last.delete(key);
    }
  }

  async verifyAll(): Promise<void> {
    const published = [...this.last];
    for (let start = 0; start < published.length; start += BATCH) {
      const batch = published.slice(start, start + BATCH);
      await Promise.all(batch.map(([key, one]) => this.verifyOne(key, one)));
    }
  }

  private async verifyOne(key: string, published: Published): Promise<void> {
    const isKnown = await this.verify(key, published.id).then(
      () => true,
      () => false,
    );
    const ago = monotonicNow() - published.time;
    if (ago > (isKnown ? this.longest : FORGOTTEN_MS) && this.last.get(key) === published) {
      this.last.delete(key);
    }
  }
}
