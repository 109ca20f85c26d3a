import { monotonicNow } from '../../channel/clock.js';

/** How long we remember what was published, to check that Redis still has it. */
const REMEMBERED_MS = 60_000;
/** How long we remember it while Redis does not answer: after that it may have expired. */
const FORGOTTEN_MS = 600_000;
/** How many streams we verify at a time. */
const BATCH = 500;

export class LastPublished {
  private readonly time = monotonicNow();

  /** @param number that of the call */
  constructor(
    readonly id: string,
    readonly number: number,
  ) {}

  /** How many ms ago that was. */
  get ago(): number {
    return monotonicNow() - this.time;
  }
}

/**
 * The last events that this instance published to each stream or key. Redis has acknowledged them, so
 * they must still be there after an outage.
 */
export class PublishedEvents {
  private readonly last = new Map<string, LastPublished>();
  private readonly longest: number;

  /**
   * @param age for how long events are retained, in ms
   * @param verify finds out whether Redis still has the event; rejects when Redis does not answer
   */
  constructor(
    age: number,
    private readonly verify: (key: string, id: string) => Promise<unknown>,
  ) {
    this.longest = Math.min(REMEMBERED_MS, age / 2);
  }

  /** @param number that of the call */
  note(key: string, id: string, number: number): void {
    this.last.set(key, new LastPublished(id, number));
  }

  /** The last event, if we remember it. */
  lastOf(key: string): LastPublished | undefined {
    return this.last.get(key);
  }

  /**
   * Forgets an event that was lost, once the loss has been announced.
   * @param id the event. Default: the last one, whatever it is
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

  private async verifyOne(key: string, published: LastPublished): Promise<void> {
    const isKnown = await this.verify(key, published.id).then(
      () => true,
      () => false,
    );
    if (
      published.ago > (isKnown ? this.longest : FORGOTTEN_MS) &&
      this.last.get(key) === published
    ) {
      this.last.delete(key);
    }
  }
}
