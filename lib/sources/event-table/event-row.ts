import { JOIN_TYPE, LEAVE_TYPE } from '../../channel/presence.js';
import type { SourceEvent } from '../../channel/source.js';

/** A row of the event table, as the statements here select it. */
export interface EventRow {
  /** The number, as `pg` gives a bigint. */
  readonly id: string;
  readonly event: string | null;
  readonly data: string;
  readonly own_id: string | null;
  readonly retry: number | null;
  readonly done: boolean | null;
}

export function eventOfRow(row: EventRow, position: string): SourceEvent & { position: string } {
  const event = {
    position,
    data: row.data,
    type: row.event === null || row.event === '' ? undefined : row.event,
    id: row.own_id ?? undefined,
    retry: row.retry ?? undefined,
    end: row.done ? true : undefined,
  };
  // The table takes these types from the functions of presence only.
  return row.event === JOIN_TYPE || row.event === LEAVE_TYPE
    ? { ...event, isPresence: true }
    : event;
}
