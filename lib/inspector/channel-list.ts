import type { Channel } from '../channel/channel.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { slowestOf } from '../channel/reader.js';
import { inSlices } from '../channel/slices.js';
import { sourceKindOf } from '../channel/source-kind.js';
import type { Delivery } from '../delivery/delivery.js';
import type { ChannelRates } from './channel-rates.js';
import type { ChannelRow, Page } from './contract.js';
import { Kept } from './kept.js';
import type { PacedWork } from './paced-work.js';
import type { RequestQuery } from './request-query.js';
import { SLICE_MS, sorted } from './sorted.js';

/** The orders of channels; all but that by name begin with the highest number. */
export const CHANNEL_SORTS = ['name', 'readers', 'events', 'rate', 'lag'] as const;

type ChannelSort = (typeof CHANNEL_SORTS)[number];

/** Which channels a page wants to see. */
export interface ChannelWish {
  readonly filter: string | undefined;
  readonly sort: ChannelSort;
  readonly offset: number;
  readonly limit: number;
}

/** The most rows of a page, and the last place where one may begin. */
export const MAX_LIMIT = 200;
export const MAX_OFFSET = 1_000_000;

/** @throws HttpException 400 */
export function pageWish(query: RequestQuery): { offset: number; limit: number } {
  return {
    offset: query.whole('offset', 0, 0, MAX_OFFSET),
    limit: query.whole('limit', 100, 1, MAX_LIMIT),
  };
}

/** Lists the open channels. */
export class ChannelList {
  private readonly orders: Kept<readonly Channel[]>;
  private readonly matches: Kept<readonly Channel[]>;
  private readonly slow: Kept<ReadonlyMap<string, number>>;
  private readonly registry: ChannelRegistry;

  constructor(
    private readonly delivery: Delivery,
    private readonly rates: ChannelRates,
    work: PacedWork,
  ) {
    const { detach, channels } = delivery;
    this.registry = channels;
    this.orders = new Kept(work, detach);
    this.matches = new Kept(work, detach);
    this.slow = new Kept(work, detach);
  }

  async page({ filter, sort, offset, limit }: ChannelWish): Promise<Page<ChannelRow>> {
    const found = await (filter === undefined ? this.order(sort) : this.matching(sort, filter));
    return { total: found.length, rows: await this.rows(found.slice(offset, offset + limit)) };
  }

  /** The channels with a name: one for each source that has it. */
  async named(name: string): Promise<Page<ChannelRow>> {
    const rows = await this.rows([...this.registry.named(name)].slice(0, MAX_LIMIT));
    return { total: rows.length, rows };
  }

  private order(sort: ChannelSort): Promise<readonly Channel[]> {
    return sort === 'name'
      ? this.orders.get(sort, () => this.byName())
      : this.orders.get(
          sort,
          (byName) => byNumber(byName, sort === 'rate' ? this.rates.reader() : NUMBERS[sort]),
          () => this.order('name'),
        );
  }

  private async byName(): Promise<readonly Channel[]> {
    const all: Channel[] = [];
    await inSlices(this.registry.channels, (channel) => void all.push(channel), SLICE_MS);
    return sorted(all, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  private matching(sort: ChannelSort, filter: string): Promise<readonly Channel[]> {
    const part = filter.toLowerCase();
    const filtered = async (order: readonly Channel[]): Promise<Channel[]> => {
      const found: Channel[] = [];
      const look = (channel: Channel): void => {
        if (channel.name.toLowerCase().includes(part)) {
          found.push(channel);
        }
      };
      await inSlices(order, look, SLICE_MS);
      return found;
    };
    return this.matches.get(`${sort} ${part}`, filtered, () => this.order(sort));
  }

  private async rows(channels: readonly Channel[]): Promise<ChannelRow[]> {
    const slow = await this.slowReaders();
    const rows: ChannelRow[] = [];
    const rateOf = this.rates.reader();
    const show = (channel: Channel): void => {
      const source = this.registry.sourceOf(channel);
      // It may have closed since the order was made.
      if (source) {
        const { name, readers, log } = channel;
        rows.push({
          name,
          source: sourceKindOf(source),
          readers: readers.size,
          slow: slow.get(name) ?? 0,
          events: log.size,
          bytes: log.bytes,
          ...(log.newest && { last: log.newest.id }),
          received: log.head,
          rate: rateOf(channel),
          lag: lagOf(channel),
        });
      }
    };
    await inSlices(channels, show, SLICE_MS);
    return rows;
  }

  /** How many connections of each channel have clients that do not read. */
  private async slowReaders(): Promise<ReadonlyMap<string, number>> {
    const { slow } = this.delivery.connections;
    if (slow.size === 0) {
      return NONE;
    }
    return this.slow.get('', async () => {
      const counts = new Map<string, number>();
      await inSlices(
        slow,
        ({ channels }) => channels.forEach((name) => counts.set(name, (counts.get(name) ?? 0) + 1)),
        SLICE_MS,
      );
      return counts;
    });
  }
}

const NONE: ReadonlyMap<string, number> = new Map();

function lagOf({ places, log: { head } }: Channel): number {
  return head - slowestOf(places, head);
}

/** The highest number first; those with the same one in the order of their names. */
async function byNumber(
  byName: readonly Channel[],
  numberOf: (channel: Channel) => number,
): Promise<readonly Channel[]> {
  const numbered: { readonly channel: Channel; readonly number: number }[] = [];
  const note = (channel: Channel): void =>
    void numbered.push({ channel, number: numberOf(channel) });
  await inSlices(byName, note, SLICE_MS);
  const order = await sorted(numbered, (a, b) => b.number - a.number);
  return order.map(({ channel }) => channel);
}

const NUMBERS: Readonly<
  Record<Exclude<ChannelSort, 'name' | 'rate'>, (channel: Channel) => number>
> = {
  readers: ({ readers }) => readers.size,
  events: ({ log }) => log.size,
  lag: lagOf,
};
