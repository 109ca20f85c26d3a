import { duration, flag, group, option, whole } from '../options/option-kinds.js';
import type { Settings, TableOf } from '../options/option-table.js';

/** How much the event table retains. */
export interface TableRetainOptions {
  /** Milliseconds after which an event may be dropped. Default: 86,400,000, one day. */
  readonly age?: number | undefined;
  /**
   * Bytes on disk, indexes included, above which the oldest events are dropped. The table may be
   * larger by a quarter, and by what is written between two checks. Default: 1,073,741,824.
   */
  readonly bytes?: number | undefined;
}

/** The Postgres event table: where it is, and how it is read and kept. */
export interface EventTableOptions {
  /** The schema that holds the table and its functions. Default: `sse`. */
  readonly schema?: string | undefined;
  /**
   * Whether to create or upgrade the table at the start. Many instances may do so at once.
   * Otherwise it is what `npx nestjs-sse-channels sql --event-table` prints. Default: false.
   */
  readonly install?: boolean | undefined;
  /** How long events are kept. Default: as for each of its options. */
  readonly retain?: TableRetainOptions | undefined;
  /** Milliseconds between two checks of `retain`. Default: 30,000. */
  readonly retainInterval?: number | undefined;
  /**
   * How many ids a partition takes. Events are dropped by whole partitions; one that is large or
   * old enough is closed early. At least 10,000. Default: 1,000,000.
   */
  readonly partitionSize?: number | undefined;
  /**
   * Whether to be woken by NOTIFY, which needs a connection without a pooler in between.
   * Default: true.
   */
  readonly listen?: boolean | undefined;
  /**
   * Whether this instance may be elected as the waker: the one that watches the table on the
   * server and wakes all instances, for transactions that did not notify. Default: true.
   */
  readonly waker?: boolean | undefined;
  /** How often the waker looks while there are events, in milliseconds. Default: 10. */
  readonly wakeInterval?: number | undefined;
  /**
   * The longest pause between two looks at the table, whatever wakes the reader besides, in
   * milliseconds. Default: 1,000.
   */
  readonly pollInterval?: number | undefined;
}

/** The schema of the event table. */
export const DEFAULT_SCHEMA = 'sse';

export const SCHEMA = option(
  (value): value is string =>
    typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(value),
  'a name of 1 to 63 letters, digits and underscores that begins with no digit',
  DEFAULT_SCHEMA,
);

export const EVENT_TABLE_OPTIONS = {
  schema: SCHEMA,
  install: flag(false),
  retain: group({
    age: whole(86_400_000, { unit: 'ms' }),
    bytes: whole(1_073_741_824, { unit: 'bytes' }),
  }),
  retainInterval: duration(30_000, 1),
  partitionSize: whole(1_000_000, { unit: 'ids', from: 10_000, to: 1_000_000_000 }),
  listen: flag(true),
  waker: flag(true),
  wakeInterval: duration(10, 1, 10_000),
  pollInterval: duration(1_000, 1),
} satisfies TableOf<EventTableOptions>;

/** The options with every default in place. */
export type EventTableSettings = Settings<typeof EVENT_TABLE_OPTIONS>;
