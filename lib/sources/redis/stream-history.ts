import type { ChannelHistory, HistoryEvent, HistoryPage } from '../../channel/source.js';
import { itemsOf, type RawEntry, type StreamItem } from './stream-entry.js';
import { compareStreamIds, isStreamId } from './stream-id.js';

/** How many entries are looked through at a time for an id of the publisher's own. */
const SCAN = 100;
/** How many entries are read at a time before it is known how many events they hold. */
const FIRST_PAGE = 32;
/** How many found ids are remembered for the moment until their reader has joined. */
const MAX_FOUND = 256;

/** Reads a range of the channel's stream, as XRANGE does. */
export type ReadRange = (from: string, to: string, count: number) => Promise<readonly RawEntry[]>;

/** A channel's history: its stream. */
export class StreamHistory implements ChannelHistory {
  /** The positions of events that were asked for by the publisher's own id. */
  private found: Map<string, string> | undefined;
  /** How many events an entry held on average when last read: so much is one page. */
  private perEntry: number | undefined;

  constructor(
    private readonly range: ReadRange,
    private readonly shape: (event: HistoryEvent) => HistoryEvent = (event) => event,
  ) {}

  compare(a: string, b: string): number {
    const [first, second] = [this.positionOf(a), this.positionOf(b)];
    if (first === undefined || second === undefined) {
      // What is not a position is before every one, so that nothing is left out.
      return (first === undefined ? 0 : 1) - (second === undefined ? 0 : 1);
    }
    return compareStreamIds(first, second);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    if (position === undefined) {
      return this.pageFrom('-', limit);
    }
    const known = this.positionOf(position);
    const page = known === undefined ? undefined : await this.pageAfter(known, limit);
    if (page) {
      return page;
    }
    const own = await this.findOwn(position);
    const ownPage = own === undefined ? undefined : await this.pageAfter(own, limit);
    return ownPage ?? this.gap(position);
  }

  /**
   * The events after one of the stream. That one is read along with them: while it is there,
   * nothing behind it can have been trimmed. `undefined` when it is not.
   */
  private async pageAfter(id: string, limit: number): Promise<HistoryPage | undefined> {
    const { items, last } = await this.itemsFrom(id, limit + 1);
    const at = items.findIndex((item) => item.id === id);
    if (at < 0) {
      return undefined;
    }
    const item = items[at]!;
    const page = await this.page(items.slice(at + 1), last, limit);
    return item.kind === 'event' && this.shape(item.event).end ? { ...page, ended: true } : page;
  }

  private async pageFrom(start: string, limit: number): Promise<HistoryPage> {
    const { items, last } = await this.itemsFrom(start, limit);
    return this.page(items, last, limit);
  }

  /** About so many items from an id on, and whether these are all. */
  private async itemsFrom(
    start: string,
    about: number,
  ): Promise<{ readonly items: readonly StreamItem[]; readonly last: boolean }> {
    const { perEntry } = this;
    const count =
      perEntry === undefined ? Math.min(about, FIRST_PAGE) : Math.ceil(about / perEntry) + 1;
    const entries = await this.range(start, '+', count);
    const items = entries.flatMap(itemsOf);
    if (entries.length > 0) {
      this.perEntry = items.length / entries.length;
    }
    return { items, last: entries.length < count };
  }

  private async page(
    items: readonly StreamItem[],
    isLast: boolean,
    limit: number,
  ): Promise<HistoryPage> {
    const taken = items.slice(0, limit);
    const events = taken.flatMap((item) => this.shown(item));
    const last = isLast && taken.length === items.length;
    if (last || events.length > 0) {
      return { events, last };
    }
    // Nothing but marks: a page that is not the last one has to hold something.
    const next = taken.at(-1)!.id;
    return (await this.pageAfter(next, limit)) ?? this.gap(next);
  }

  private shown(item: StreamItem): HistoryEvent[] {
    if (item.kind === 'event') {
      return [this.shape(item.event)];
    }
    if (item.kind === 'mark') {
      return [];
    }
    return [{ position: item.id, data: '', reset: item.reason }];
  }

  /** An id that was used twice stands for its first event, so that nothing is left out. */
  private async findOwn(id: string): Promise<string | undefined> {
    let from = '-';
    for (;;) {
      const raw = await this.range(from, '+', SCAN);
      for (const item of raw.flatMap(itemsOf)) {
        if (item.kind === 'event' && item.event.id === id) {
          this.remember(id, item.id);
          return item.id;
        }
      }
      if (raw.length < SCAN) {
        return undefined;
      }
      from = `(${raw.at(-1)![0]}`;
    }
  }

  private async gap(position: string): Promise<HistoryPage> {
    if (!isStreamId(position)) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    const [first] = await this.range('-', '+', 1);
    // Entries are trimmed at the beginning only: one that is missing later on was lost.
    const trimmed = first !== undefined && compareStreamIds(position, first[0]) < 0;
    return { events: [], last: true, reset: trimmed ? 'trimmed' : 'failover' };
  }

  private remember(id: string, position: string): void {
    this.found ??= new Map();
    if (this.found.size >= MAX_FOUND) {
      this.found.delete(this.found.keys().next().value!);
    }
    this.found.set(id, position);
  }

  private positionOf(id: string): string | undefined {
    return this.found?.get(id) ?? (isStreamId(id) ? id : undefined);
  }
}
