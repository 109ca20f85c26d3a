import type { ChannelHistory, HistoryEvent, HistoryPage } from '../../channel/source.js';
import { placeOf } from './own-ids.js';
import { itemsOf, type StreamItem } from './stream-entry.js';
import { compareStreamIds, isStreamId } from './stream-id.js';
import type { StreamReading } from './stream-reading.js';

/** Entries per read in a search for an event whose exact place the index does not know. */
const SCAN = 100;
/** The highest number an id can have within a millisecond. */
const LAST_NUMBER = '18446744073709551615';
/** Entries in the first page, when we do not know yet how many events an entry holds. */
const FIRST_PAGE = 32;
/** The most positions that we remember until their readers ask for the next page. */
const MAX_KNOWN = 256;

/** The most events of a page, and the signal that nobody waits for it any more. */
interface Wanted {
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** A channel's history: its stream. */
export class StreamHistory implements ChannelHistory {
  /** Positions by the publisher's own id, and the positions of the last events of pages. */
  private known: Map<string, string> | undefined;
  /** How many events an entry held on average in the last page. */
  private perEntry: number | undefined;

  constructor(
    private readonly key: string,
    private readonly reading: StreamReading,
    private readonly shape: (event: HistoryEvent) => HistoryEvent = (event) => event,
  ) {}

  compare(a: string, b: string): number {
    const [first, second] = [this.positionOf(a), this.positionOf(b)];
    if (first === undefined || second === undefined) {
      // Any other text comes before every position, so that no event is left out.
      return (first === undefined ? 0 : 1) - (second === undefined ? 0 : 1);
    }
    return compareStreamIds(first, second);
  }

  async read(
    position: string | undefined,
    limit: number,
    signal?: AbortSignal,
  ): Promise<HistoryPage> {
    const wanted = { limit, signal };
    if (position === undefined) {
      const { items, last } = await this.itemsFrom('-', limit, signal);
      return this.page(items, last, wanted);
    }
    const known = this.known?.get(position);
    const page = known === undefined ? undefined : await this.pageAfter(known, wanted);
    return page ?? this.pageOf(position, wanted);
  }

  /** Reads the events after the position that a client sent, once the position's place is known. */
  private async pageOf(position: string, wanted: Wanted): Promise<HistoryPage> {
    const { signal } = wanted;
    const { what, where } = await this.reading.locate(this.key, position, signal);
    if (what === 'gone') {
      return gap(isStreamId(position) ? position : undefined, where);
    }
    if (what === 'here') {
      return (await this.pageAfter(position, wanted)) ?? gap(position, '');
    }
    const place = placeOf(Number(where));
    const own = await this.findOwn(position, place, signal);
    const page = own === undefined ? undefined : await this.pageAfter(own, wanted);
    if (page) {
      return { ...page, position: own };
    }
    // The event was trimmed after the index noted it, or the stream has lost it.
    return gap(place.id, (await this.reading.locate(this.key, place.id, signal)).where);
  }

  /**
   * Reads an item of the stream and the events after it: while the item exists, nothing after it can
   * have been trimmed. `undefined` when it does not exist.
   */
  private async pageAfter(id: string, wanted: Wanted): Promise<HistoryPage | undefined> {
    const { items, last } = await this.itemsFrom(id, wanted.limit + 1, wanted.signal);
    const at = items.findIndex((item) => item.id === id);
    if (at < 0) {
      return undefined;
    }
    const item = items[at]!;
    const page = await this.page(items.slice(at + 1), last, wanted);
    return item.kind === 'event' && this.shape(item.event).end ? { ...page, ended: true } : page;
  }

  /** Reads about `about` items from an id on, and tells whether these are all. */
  private async itemsFrom(
    start: string,
    about: number,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly items: readonly StreamItem[]; readonly last: boolean }> {
    const { perEntry } = this;
    const count =
      perEntry === undefined ? Math.min(about, FIRST_PAGE) : Math.ceil(about / perEntry) + 1;
    const range = { from: start, count };
    const { entries, last } = await this.reading.page(this.key, range, signal);
    const items = entries.flatMap(itemsOf);
    if (entries.length > 0) {
      this.perEntry = items.length / entries.length;
    }
    return { items, last };
  }

  private async page(
    items: readonly StreamItem[],
    isLast: boolean,
    wanted: Wanted,
  ): Promise<HistoryPage> {
    const taken = items.slice(0, wanted.limit);
    const events = taken.flatMap((item) => this.shown(item));
    const last = isLast && taken.length === items.length;
    if (last || events.length > 0) {
      const end = events.at(-1)?.position;
      if (end !== undefined && !last) {
        this.remember(end, end);
      }
      return { events, last };
    }
    // The page holds only marks, and none but the last page may be empty.
    const next = taken.at(-1)!.id;
    return (await this.pageAfter(next, wanted)) ?? gap(next, '');
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

  /** Finds an event by its publisher's id. An id that was used twice means its first event. */
  private async findOwn(
    id: string,
    { id: start, isExact }: ReturnType<typeof placeOf>,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const millisecond = start.slice(0, start.indexOf('-'));
    const to = `${millisecond}-${LAST_NUMBER}`;
    let from = start;
    for (;;) {
      const count = isExact ? 1 : SCAN;
      const range = { from, to, count };
      const { entries, last } = await this.reading.page(this.key, range, signal);
      for (const item of entries.flatMap(itemsOf)) {
        if (item.kind === 'event' && item.event.id === id) {
          this.remember(id, item.id);
          return item.id;
        }
      }
      if (isExact || last) {
        return undefined;
      }
      from = `(${entries.at(-1)![0]}`;
    }
  }

  private remember(id: string, position: string): void {
    this.known ??= new Map();
    if (this.known.size >= MAX_KNOWN) {
      this.known.delete(this.known.keys().next().value!);
    }
    this.known.set(id, position);
  }

  private positionOf(id: string): string | undefined {
    return this.known?.get(id) ?? (isStreamId(id) ? id : undefined);
  }
}

/** @param oldest the oldest id in the stream, or empty */
function gap(position: string | undefined, oldest: string): HistoryPage {
  if (position === undefined) {
    return { events: [], last: true, reset: 'unknown-position' };
  }
  // Redis trims entries at the beginning only: an entry that is missing behind it was lost.
  const trimmed = oldest !== '' && compareStreamIds(position, oldest) < 0;
  return { events: [], last: true, reset: trimmed ? 'trimmed' : 'failover' };
}
