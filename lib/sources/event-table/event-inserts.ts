import type { OnceKey, SentOnce } from '../../channel/once.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { rowsIn, runOn } from '../postgres/given-client.js';
import { quoteName } from '../postgres/identifier.js';
import type { PgQueryable } from '../postgres/pg-types.js';
import type { PostgresConnection } from '../postgres/postgres-connection.js';
import { codeOf } from '../postgres/postgres-error.js';
import { lacksPartition } from './event-table-error.js';
import { formatPosition } from './position.js';

export interface TopicEvent {
  readonly topic: string;
  readonly event: OutgoingEvent;
  readonly once?: OnceKey | undefined;
}

interface Inserted {
  readonly id: string;
  readonly timeline: number | string;
}

interface InsertedOnce {
  /** `null` where another transaction holds the key. */
  readonly id: string | null;
  readonly own_id: string | null;
  readonly timeline: number | string | null;
  readonly duplicate: boolean | string | null;
}

/** The statements that write events to the table of one schema. */
export class EventInserts {
  private readonly s: string;

  constructor(
    private readonly connection: PostgresConnection,
    schema: string,
  ) {
    this.s = quoteName(schema);
  }

  /**
   * Writes events in one statement.
   *
   * @returns their ids, in the same order
   * @throws what the server refuses, and SseError `UNAVAILABLE`
   */
  async insert(batch: readonly TopicEvent[]): Promise<readonly string[]> {
    const columns = columnsOf(batch);
    const text = `select id, ${this.s}.timeline() as timeline
      from ${this.s}.publish_all($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::boolean[]) as id`;
    const rows = await withRepair(this.connection, this.s, () =>
      this.connection.query<Inserted>(text, columns),
    );
    return batch.map(({ event }, index) => idOf(event, rows[index]!));
  }

  /**
   * Writes events in one statement, some of them with idempotency keys.
   *
   * @returns what has become of each; `undefined` where an open transaction has sent an event with the key
   * @throws as `insert()`
   */
  async insertOnce(batch: readonly TopicEvent[]): Promise<readonly (SentOnce | undefined)[]> {
    const values = [
      ...columnsOf(batch),
      batch.map(({ once }) => once?.key ?? null),
      batch.map(({ once }) => once?.window ?? null),
    ];
    const text = `select event_id as id, own_id, timeline, duplicate
      from ${this.s}.publish_all_once($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::boolean[], $7::text[], $8::bigint[])`;
    const rows = await withRepair(this.connection, this.s, () =>
      this.connection.query<InsertedOnce>(text, values),
    );
    return rows.map(sentOnce);
  }

  /** Writes a command to all instances. @throws what the server refuses, and SseError `UNAVAILABLE` */
  async command(data: string, isKept: boolean): Promise<void> {
    await withRepair(this.connection, this.s, () =>
      this.connection.query(`select ${this.s}.command($1::text, $2::boolean)`, [data, isKept]),
    );
  }

  /**
   * Writes an event within the transaction of a client.
   *
   * @returns its id
   * @throws SseError `INVALID_OPTION` when the client resolves without rows; and the client's own error
   */
  async insertWith(client: PgQueryable, { topic, event }: TopicEvent): Promise<string> {
    const { data, type, id, retry, end } = event;
    // As text, because hardly any application replaces the parser of text.
    const answer = await runOn(
      client,
      `select ${this.s}.publish($1, $2, $3, $4, $5::integer, $6::boolean)::text as id, ${this.s}.timeline()::text as timeline`,
      [topic, data, type ?? null, id ?? null, retry ?? null, end === true],
    );
    return idOf(event, firstRowIn<Inserted>(answer));
  }

  /** Like `insertWith()`, for an event with an idempotency key. It waits while another transaction holds the key. */
  async insertOnceWith(
    client: PgQueryable,
    { topic, event }: TopicEvent,
    { key, window }: OnceKey,
  ): Promise<SentOnce> {
    const { data, type, id, retry, end } = event;
    const answer = await runOn(
      client,
      `select event_id::text as id, own_id, timeline::text as timeline, duplicate::text as duplicate
        from ${this.s}.publish_once($1, $2, $3, $4, $5, $6::integer, $7::boolean, $8::bigint * interval '1 millisecond')`,
      [topic, data, key, type ?? null, id ?? null, retry ?? null, end === true, window],
    );
    return sentOnce(firstRowIn<InsertedOnce>(answer))!;
  }
}

function columnsOf(batch: readonly TopicEvent[]): unknown[][] {
  return [
    batch.map(({ topic }) => topic),
    batch.map(({ event }) => event.data),
    batch.map(({ event }) => event.type ?? null),
    batch.map(({ event }) => event.id ?? null),
    batch.map(({ event }) => event.retry ?? null),
    batch.map(({ event }) => event.end === true),
  ];
}

/** @throws SseError `INVALID_OPTION` for an answer without rows */
function firstRowIn<Row extends { readonly id: string | null }>(answer: unknown): Row {
  const row = rowsIn(answer)?.[0] as Row | undefined;
  if (row?.id === undefined) {
    throw new SseError(
      'INVALID_OPTION',
      '`client.query()` resolved with something that has no rows. It must resolve with the rows, or with an object that has `rows`.',
    );
  }
  return row;
}

function sentOnce({ id, own_id: own, timeline, duplicate }: InsertedOnce): SentOnce | undefined {
  return id === null
    ? undefined
    : {
        id: own ?? formatPosition({ timeline: Number(timeline), id: Number(id) }),
        isDuplicate: duplicate === true || duplicate === 'true',
      };
}

/**
 * Runs a statement that writes events. When the server refuses it for a reason that this role can mend, we mend
 * it and run the statement once more.
 */
export async function withRepair<T>(
  connection: PostgresConnection,
  schema: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const repair = repairFor(error);
    if (repair === undefined) {
      throw error;
    }
    await connection.query(`select ${schema}.${repair}`).catch(() => Promise.reject(error));
    return run();
  }
}

function idOf(event: OutgoingEvent, { timeline, id }: Inserted): string {
  return event.id ?? formatPosition({ timeline: Number(timeline), id: Number(id) });
}

/** The call of a function of the table that may mend a refusal, if this role may execute it. */
function repairFor(error: unknown): string | undefined {
  if (lacksPartition(error)) {
    // Nobody has created the next partition in time.
    return 'extend(1000000, 3)';
  }
  // Rows were restored without taking their ids from the sequence, which now gives out the same
  // ids.
  return codeOf(error) === '23505' ? 'catch_up()' : undefined;
}
