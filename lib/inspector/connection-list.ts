import { monotonicNow } from '../channel/clock.js';
import { inSlices } from '../channel/slices.js';
import type { CountedAs } from '../delivery/client.js';
import { isMeant } from '../delivery/connection-filter.js';
import type { Connection } from '../delivery/connection.js';
import type { Connections } from '../delivery/connections.js';
import type { Delivery } from '../delivery/delivery.js';
import type { ConnectionRow, Page } from './contract.js';
import { Kept } from './kept.js';
import type { PacedWork } from './paced-work.js';
import { SLICE_MS, sorted } from './sorted.js';

/** The orders of connections; the last two begin with the highest number. */
export const CONNECTION_SORTS = ['oldest', 'newest', 'lag', 'backlog'] as const;

type ConnectionSort = (typeof CONNECTION_SORTS)[number];

/** Which connections a page wants to see. */
export interface ConnectionWish {
  readonly channel: string | undefined;
  readonly client: string | undefined;
  readonly sort: ConnectionSort;
  readonly offset: number;
  readonly limit: number;
}

/** The most channels that a row names. */
const MOST_NAMES = 5;

type Entry = readonly [Connection, CountedAs];

/** Lists the open connections. */
export class ConnectionList {
  private readonly lists: Kept<readonly Entry[]>;
  private readonly connections: Connections;

  constructor(
    { detach, connections }: Delivery,
    private readonly showData: boolean,
    work: PacedWork,
  ) {
    this.connections = connections;
    this.lists = new Kept(work, detach);
  }

  async page({ offset, limit, sort, ...wish }: ConnectionWish): Promise<Page<ConnectionRow>> {
    const name = JSON.stringify([wish.channel, wish.client]);
    const oldest = (): Promise<readonly Entry[]> => this.lists.get(name, () => this.meant(wish));
    const list = await (sort === 'oldest'
      ? oldest()
      : this.lists.get(`${sort} ${name}`, (entries) => inOrder(entries, sort), oldest));
    const rows: ConnectionRow[] = [];
    const show = (entry: Entry): void => {
      // It may have ended since the list was made.
      if (entry[0].endReason === undefined) {
        rows.push(this.row(entry));
      }
    };
    await inSlices(list.slice(offset, offset + limit), show, SLICE_MS);
    return { total: list.length, rows };
  }

  /** In the order in which they were opened. */
  private async meant(wish: Pick<ConnectionWish, 'channel' | 'client'>): Promise<Entry[]> {
    const found: Entry[] = [];
    const look = (entry: Entry): void => {
      const [connection, counted] = entry;
      if (isMeant(wish, counted, () => connection.channels)) {
        found.push(entry);
      }
    };
    await inSlices(this.connections, look, SLICE_MS);
    return found;
  }

  private row([connection, counted]: Entry): ConnectionRow {
    const { id, client, info, channels, openedAt } = this.connections.views.of(connection, counted);
    return {
      id,
      ...(client !== undefined && { client }),
      ...(this.showData && info !== undefined && { info }),
      channels: channels.slice(0, MOST_NAMES),
      channelCount: channels.length,
      openedAt: openedAt.getTime(),
      lag: lagOf(connection),
      backlog: connection.backlog,
    };
  }
}

/** Those with the same number are in the order in which they were opened. */
async function inOrder(
  oldest: readonly Entry[],
  sort: Exclude<ConnectionSort, 'oldest'>,
): Promise<Entry[]> {
  const numbered: { readonly entry: Entry; readonly number: number }[] = [];
  const note = (entry: Entry): void =>
    void numbered.push({ entry, number: NUMBERS[sort](entry[0]) });
  await inSlices(oldest, note, SLICE_MS);
  const order = await sorted(numbered, (a, b) => b.number - a.number);
  return order.map(({ entry }) => entry);
}

/** In milliseconds. */
function lagOf({ blockedSince }: Connection): number {
  return blockedSince === 0 ? 0 : monotonicNow() - blockedSince;
}

const NUMBERS: Readonly<
  Record<Exclude<ConnectionSort, 'oldest'>, (connection: Connection) => number>
> = {
  newest: ({ number }) => number,
  lag: lagOf,
  backlog: ({ backlog }) => backlog,
};
