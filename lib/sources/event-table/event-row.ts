import type { SourceEvent } from '../../channel/source.js';

/** A row of the event table, as the statements here select it. */
export interface EventRow {
  /** The number, as `pg` gives a bigint. */
  readonly id: string;
  readonly event: string | null;
  readonly data: string;
  readonly own_id: string | null;
  readonly retry: number | null;
  readonly done: boolean;
}

/** The columns of `EventRow`, for a table called `e`. */
export const EVENT_COLUMNS = 'e.id, e.event, e.data, e.own_id, e.retry, e.done';

/** Turns a row into an event at a position. */
export function eventOf(row: EventRow, position: string): SourceEvent & { position: string } {
  return {
    position,
    data: row.data,
    type: row.event === null || row.event === '' ? undefined : row.event,
    id: row.own_id ?? undefined,
    retry: row.retry ?? undefined,
    end: row.done ? true : undefined,
  };
}
