import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  PAGE_BYTES,
  withLargeData,
  type LargeRow,
} from '../../lib/sources/event-table/large-data.js';
import { EventHistory } from '../../lib/sources/event-table/event-history.js';
import { Topics } from '../../lib/sources/event-table/topics.js';
import { eventTableSql } from '../../lib/index.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { until } from '../support/until.js';
import { RecordingLogger } from '../postgres/listen-recording.js';
import { record, startInstance, stopAll } from './event-table-rig.js';

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

  it('holds its rows in order', async () => {
    const page = [row(1, null), row(2, 9_000), row(3, null), row(4, 9_000)];
    const { rows, isCut } = await withLargeData(page, Infinity, async (ids) =>
      stored(ids).reverse(),
    );
    expect(rows.map(({ data }) => data)).toEqual(['small 1', 'large 2', 'small 3', 'large 4']);
    expect(isCut).toBe(false);
  });

  it('ends before an event that would make it too large', async () => {
    const half = PAGE_BYTES / 2 + 1;
    const page = [row(1, half), row(2, null), row(3, half), row(4, null)];
    const { rows, isCut } = await withLargeData(page, Infinity, async (ids) => stored(ids));
    expect(rows.map(({ id }) => id)).toEqual(['1', '2']);
    expect(isCut).toBe(true);
  });

  it('holds one event alone when that event is larger than a page', async () => {
    const page = [row(1, 3 * PAGE_BYTES), row(2, 9_000)];
    const { rows, isCut } = await withLargeData(page, Infinity, async (ids) => stored(ids));
    expect(rows.map(({ id }) => id)).toEqual(['1']);
    expect(isCut).toBe(true);
  });

  it('leaves out, and does not fetch, an event that is larger than the limit', async () => {
    const page = [row(1, 9_000), row(2, 9_001), row(3, null)];
    const asked: string[] = [];
    const { rows, isCut } = await withLargeData(page, 9_000, async (ids) => {
      asked.push(...ids);
      return stored(ids);
    });
    expect(asked).toEqual(['1']);
    expect(rows.map(({ data }) => data)).toEqual(['large 1', null, 'small 3']);
    expect(isCut).toBe(false);
  });

  it('ends before an event that was deleted meanwhile', async () => {
    const page = [row(1, null), row(2, 9_000), row(3, 9_000)];
    const { rows, isCut } = await withLargeData(page, Infinity, async () => stored(['3']));
    expect(rows.map(({ id }) => id)).toEqual(['1']);
    expect(isCut).toBe(true);
  });
});

describe('A reader of the table', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let connection: PostgresConnection;
  let received = 0;

  beforeEach(async () => {
    database = await createDatabase();
    proxy = await startProxy(database.url);
    proxy.cutAt(() => (chunk) => {
      received += chunk.length;
      return -1;
    });
    connection = new PostgresConnection(proxy.url(database.url));
    await connection.query(eventTableSql());
  });
  afterEach(async () => {
    await stopAll();
    await connection.stop();
    await proxy.close();
    await database.drop();
  });

  const fill = (size: string, count: number) =>
    connection.query(
      `insert into sse.event (topic, data) select 'a', n || ' ' || repeat('.', ${size} - length(n || ' ')) from generate_series(1, ${count}) n`,
    );
  const historyOf = (last: number, eventSize = Infinity) =>
    new EventHistory(
      connection,
      { schema: 'sse', install: false },
      'a',
      new Topics(new RecordingLogger(), eventSize),
      () => ({
        timeline: 1,
        id: last,
      }),
    );

  /** Reads all, and gives the most bytes that came for one page. */
  async function largestPage(history: EventHistory, limit: number, count: number): Promise<number> {
    const read: number[] = [];
    let most = 0;
    for (let position: string | undefined; ;) {
      const before = received;
      const page = await history.read(position, limit);
      expect(page.reset).toBeUndefined();
      most = Math.max(most, received - before);
      read.push(...page.events.map(({ data }) => Number.parseInt(data, 10)));
      if (page.last) break;
      position = page.events.at(-1)!.position;
    }
    expect(read).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    return most;
  }

  it("fetches each event once and in order, in pages of bounded size, whatever the events' sizes", async () => {
    // From one byte to a quarter of a page, mixed.
    await fill('(n * 7919) % 21 * 50000 + 4', 60);
    const most = await largestPage(historyOf(60), 32, 60);
    expect(most).toBeGreaterThan(PAGE_BYTES / 2);
    expect(most).toBeLessThanOrEqual(PAGE_BYTES * 1.1);
  });

  it('fetches no larger pages when it asks for many events of middling size', async () => {
    await fill('8000', 3_000);
    const most = await largestPage(historyOf(3_000), 4_096, 3_000);
    expect(most).toBeLessThanOrEqual(PAGE_BYTES * 1.2);
  });

  it('does not fetch the data of an event that is too large to send, neither live nor from history', async () => {
    const instance = await startInstance(proxy.url(database.url), { eventSize: 1_000_000 });
    const sink = record(instance, 'a');
    received = 0;
    await fill('case when n = 2 then 20000000 else 1000000 end', 3);
    await until(() => sink.calls.length === 3);
    expect(sink.calls.map((call) => call.slice(0, 30))).toEqual([
      expect.stringMatching(/^1 /),
      'reset:skipped-event',
      expect.stringMatching(/^3 /),
    ]);
    expect(sink.resets).toEqual(['skipped-event 1.2']);
    expect(instance.logger.warnings).toEqual([
      expect.stringMatching(
        /event 1\.2 of the channel "a" cannot be sent.*20000000 bytes.*1000000/,
      ),
    ]);
    const { history } = instance.table.open('a', sink);
    const { events } = await history!.read(undefined, 256);
    expect(events.map(({ position, reset }) => [position, reset])).toEqual([
      ['1.1', undefined],
      ['1.2', 'skipped-event'],
      ['1.3', undefined],
    ]);
    expect(received).toBeGreaterThan(4_000_000);
    expect(received).toBeLessThan(5_000_000);
  });
});
