import { resetData } from '../../channel/channel.js';
import type { ChannelHistory, HistoryEvent, HistoryPage } from '../../channel/source.js';
import { RESET_TYPE } from '../../channel/sse-event.js';
import { entryOf, type RawEntry, type StreamEntry } from './stream-entry.js';
import { compareStreamIds, isStreamId } from './stream-id.js';

/** How many entries are looked through at a time for an id of the publisher's own. */
const SCAN = 1_000;
/** How many found ids are remembered for the moment until their reader has joined. */
const MAX_FOUND = 256;

/** Reads a range of the channel's stream, as XRANGE does. */
export type ReadRange = (from: string, to: string, count: number) => Promise<readonly RawEntry[]>;

/** A channel's history: its stream. */
export class StreamHistory implements ChannelHistory {
  /** The positions of events that were asked for by the publisher's own id. */
  private found: Map<string, string> | undefined;

  constructor(
    private readonly channel: string,
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
   * The events after an entry. The entry is read along with them: while it is there, nothing
   * behind it can have been trimmed. `undefined` when it is not.
   */
  private async pageAfter(id: string, limit: number): Promise<HistoryPage | undefined> {
    const [first, ...raw] = await this.range(id, '+', limit + 1);
    if (first?.[0] !== id) {
      return undefined;
    }
    const entry = entryOf(first);
    return entry.kind === 'event' && this.shape(entry.event).end
      ? { events: [], last: true, ended: true }
      : this.page(raw, limit);
  }

  private async pageFrom(start: string, limit: number): Promise<HistoryPage> {
    return this.page(await this.range(start, '+', limit), limit);
  }

  private async page(raw: readonly RawEntry[], limit: number): Promise<HistoryPage> {
    const events = raw.flatMap((entry) => this.shown(entryOf(entry)));
    const last = raw.length < limit;
    if (last || events.length > 0) {
      return { events, last };
    }
    // Nothing but marks: a page that is not the last one has to hold something.
    const next = raw.at(-1)![0];
    return (await this.pageAfter(next, limit)) ?? this.gap(next);
  }

  private shown(entry: StreamEntry): HistoryEvent[] {
    if (entry.kind === 'event') {
      return [this.shape(entry.event)];
    }
    if (entry.kind === 'mark') {
      return [];
    }
    const data = resetData(this.channel, entry.reason);
    return [{ type: RESET_TYPE, data, position: entry.id }];
  }

  /** An id that was used twice stands for its first event, so that nothing is left out. */
  private async findOwn(id: string): Promise<string | undefined> {
    let from = '-';
    for (;;) {
      const raw = await this.range(from, '+', SCAN);
      for (const entry of raw.map(entryOf)) {
        if (entry.kind === 'event' && entry.event.id === id) {
          this.remember(id, entry.id);
          return entry.id;
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
