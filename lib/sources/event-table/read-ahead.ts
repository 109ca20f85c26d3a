import type { ChannelHistory, HistoryPage } from '../../channel/source.js';
import { PAGE_BYTES } from './large-data.js';

/** The most events that are fetched ahead at once. */
const MOST_EVENTS = 4_096;
/** The growth from one fetch to the next: a reader that reads on is far behind. */
const GROWTH = 4;
/** The most pages that wait for all readers of one channel. Each reader that reads on has two. */
const MOST_SLOTS = 6;
/** How long a page waits for its reader, in milliseconds. */
const LIFE_MS = 2_000;

interface Slot {
  readonly page: Promise<HistoryPage | undefined>;
  /** The number of fetched events; 0 once the events behind them are fetched as well. */
  readonly size: number;
  readonly timer: NodeJS.Timeout;
}

/** Fetches the next events of a history while a reader is busy with those before. */
export class ReadAhead implements ChannelHistory {
  /** The pages, by the position after which they go on. */
  private readonly slots = new Map<string, Slot>();

  constructor(private readonly history: ChannelHistory) {}

  compare(a: string, b: string): number {
    return this.history.compare(a, b);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const slot = position === undefined ? undefined : this.take(position);
    const ahead = await slot?.page;
    if (slot && ahead && ahead.events.length > 0 && !ahead.reset) {
      return this.pass(ahead, limit, slot.size);
    }
    const page = await this.history.read(position, limit);
    if (!page.last && !page.reset && !page.ended) {
      this.fetch(page, limit * GROWTH);
    }
    return page;
  }

  close(): void {
    for (const { timer } of this.slots.values()) {
      clearTimeout(timer);
    }
    this.slots.clear();
  }

  /** Passes on a fetched page, never as the last one: events may have come since. */
  private pass(page: HistoryPage, limit: number, size: number): HistoryPage {
    if (size > 0 && !page.last) {
      this.fetch(page, size * GROWTH);
    }
    const events = page.events.slice(0, limit);
    if (events.length < page.events.length) {
      const rest = { ...page, events: page.events.slice(limit) };
      this.keep(events.at(-1)!.position, Promise.resolve(rest), 0);
    }
    return { events, last: false };
  }

  /** Fetches what follows a page, on the assumption that the events stay as large as they are. */
  private fetch({ events: before }: HistoryPage, size: number): void {
    const { position } = before.at(-1)!;
    if (this.slots.size < MOST_SLOTS && !this.slots.has(position)) {
      const length = before.reduce((sum, { data }) => sum + data.length, 0) / before.length;
      const events = Math.ceil(Math.min(size, MOST_EVENTS, PAGE_BYTES / (length + 1)));
      // The reader's own read meets a failure again, and reports it.
      const page = this.history.read(position, events).catch(() => undefined);
      this.keep(position, page, events);
    }
  }

  private keep(position: string, page: Slot['page'], size: number): void {
    const before = this.slots.get(position);
    clearTimeout(before?.timer);
    const timer = setTimeout(() => this.slots.delete(position), LIFE_MS);
    timer.unref();
    this.slots.set(position, { page, size, timer });
  }

  private take(position: string): Slot | undefined {
    const slot = this.slots.get(position);
    if (slot) {
      clearTimeout(slot.timer);
      this.slots.delete(position);
    }
    return slot;
  }
}
