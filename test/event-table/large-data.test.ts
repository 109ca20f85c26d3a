import { describe, expect, it } from '@jest/globals';
import {
  PAGE_BYTES,
  withLargeData,
  type LargeRow,
} from '../../lib/sources/event-table/large-data.js';
import { EventHistory } from '../../lib/sources/event-table/event-history.js';
import { eventTableSql } from '../../lib/index.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import { createDatabase } from '../support/databases.js';

const row = (id: number, size: number | null): LargeRow => ({
  id: String(id),
  event: null,
  data: size === null ? `small ${id}` : null,
  own_id: null,
  retry: null,
  done: null,
  size,
});

describe('A page with large data', () => {
  const stored = (ids: readonly string[]) => ids.map((id) => ({ id, data: `large ${id}` }));

  it('is filled in the order of its rows', async () => {
    const page = [row(1, null), row(2, 9_000), row(3, null), row(4, 9_000)];
    const { rows, isCut } = await withLargeData(page, async (ids) => stored(ids).reverse());
    expect(rows.map(({ data }) => data)).toEqual(['small 1', 'large 2', 'small 3', 'large 4']);
    expect(isCut).toBe(false);
  });

  it('ends before an event that would make it too large', async () => {
    const half = PAGE_BYTES / 2 + 1;
    const page = [row(1, half), row(2, null), row(3, half), row(4, null)];
    const { rows, isCut } = await withLargeData(page, async (ids) => stored(ids));
    expect(rows.map(({ id }) => id)).toEqual(['1', '2']);
    expect(isCut).toBe(true);
  });

  it('takes an event that is larger than a page by itself', async () => {
    const page = [row(1, 3 * PAGE_BYTES), row(2, 9_000)];
    const { rows, isCut } = await withLargeData(page, async (ids) => stored(ids));
    expect(rows.map(({ id }) => id)).toEqual(['1']);
    expect(isCut).toBe(true);
  });

  it('ends before an event that has been deleted meanwhile', async () => {
    const page = [row(1, null), row(2, 9_000), row(3, 9_000)];
    const { rows, isCut } = await withLargeData(page, async () => stored(['3']));
    expect(rows.map(({ id }) => id)).toEqual(['1']);
    expect(isCut).toBe(true);
  });
});

describe('The history of a topic with events of all sizes', () => {
  it('reads each of them once, in order, and no page is too large', async () => {
    const database = await createDatabase();
    const connection = new PostgresConnection(database.url);
    try {
      await connection.query(eventTableSql());
      // From one byte to a quarter of a page, mixed.
      await connection.query(
        `insert into sse.event (topic, data) select 'sizes', rpad(n || ' ', (n * 7919) % 21 * 50000 + 4, '.')
         from generate_series(1, 300) n`,
      );
      const history = new EventHistory(connection, 'sse', 'sizes', () => ({
        timeline: 1,
        id: 300,
      }));
      const read: number[] = [];
      let largest = 0;
      for (let position: string | undefined; ;) {
        const page = await history.read(position, 64);
        expect(page.reset).toBeUndefined();
        read.push(...page.events.map(({ data }) => Number.parseInt(data, 10)));
        const large = page.events.filter(({ data }) => data.length > 8_192);
        largest = Math.max(
          largest,
          large.reduce((sum, { data }) => sum + data.length, 0),
        );
        if (page.last) break;
        position = page.events.at(-1)!.position;
      }
      expect(read).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
      expect(largest).toBeGreaterThan(PAGE_BYTES / 2);
      expect(largest).toBeLessThanOrEqual(PAGE_BYTES);
    } finally {
      await connection.stop();
      await database.drop();
    }
  });
});
