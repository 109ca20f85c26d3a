import { checkOptionNames } from '../options/option-names.js';
import { shownOption } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { checkName } from '../postgres/identifier.js';

/** How long events stay in the event table. */
export interface EventRetention {
  /** Milliseconds after which an event may be dropped. Default: 86,400,000, one day. */
  readonly age?: number | undefined;
  /**
   * Bytes on disk, indexes included, above which the oldest events are dropped. The table may be
   * larger by a quarter, and by what is written between two checks. Default: 1,073,741,824.
   */
  readonly bytes?: number | undefined;
  /** Milliseconds between two checks. Default: 30,000. */
  readonly interval?: number | undefined;
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
  /** How long events are kept. */
  readonly retention?: EventRetention | undefined;
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

/** The options with every default in place. */
export interface EventTableSettings {
  readonly schema: string;
  readonly install: boolean;
  readonly retention: { readonly age: number; readonly bytes: number; readonly interval: number };
  readonly partitionSize: number;
  readonly listen: boolean;
  readonly waker: boolean;
  readonly wakeInterval: number;
  readonly pollInterval: number;
}

/** What Node's timers can wait, in milliseconds. */
const MAX_DURATION = 2 ** 31 - 1;

/**
 * Completes the options with their defaults.
 *
 * @throws SseError `INVALID_OPTION`
 */
export function eventTableSettings(options: EventTableOptions = {}): EventTableSettings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('eventTable', options, 'an object');
  }
  const { schema = 'sse', install = false, retention = {}, listen = true, waker = true } = options;
  const { partitionSize = 1_000_000, wakeInterval = 10, pollInterval = 1_000 } = options;
  checkKeys('eventTable', options, TABLE_KEYS);
  checkKeys('eventTable.retention', retention, RETENTION_KEYS);
  const { age = 86_400_000, bytes = 1_073_741_824, interval = 30_000 } = retention;
  checkSchema(schema);
  for (const [name, value] of Object.entries({ install, listen, waker })) {
    if (typeof value !== 'boolean') {
      throw invalid(`eventTable.${name}`, value, 'true or false');
    }
  }
  checkWhole('retention.age', age, 1, Infinity);
  checkWhole('retention.bytes', bytes, 1, Infinity);
  checkWhole('retention.interval', interval, 1, MAX_DURATION);
  checkWhole('partitionSize', partitionSize, 10_000, 1_000_000_000);
  checkWhole('wakeInterval', wakeInterval, 1, 10_000);
  checkWhole('pollInterval', pollInterval, 1, MAX_DURATION);
  return {
    schema,
    install,
    retention: { age, bytes, interval },
    partitionSize,
    listen,
    waker,
    wakeInterval,
    pollInterval,
  };
}

/** @throws SseError `INVALID_OPTION` when it cannot be a schema's name. */
export function checkSchema(schema: unknown): asserts schema is string {
  checkName(schema, 'The schema of the event table');
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(schema)) {
    throw new SseError(
      'INVALID_OPTION',
      `The schema of the event table is ${shownOption(schema)}. Give a name of letters, digits and underscores.`,
    );
  }
}

const RETENTION_KEYS = ['age', 'bytes', 'interval'];
const TABLE_KEYS = [
  'schema',
  'install',
  'retention',
  'partitionSize',
  'listen',
  'waker',
  'wakeInterval',
  'pollInterval',
];

function checkKeys(name: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid(name, options, 'an object');
  }
  checkOptionNames(options, known, { prefix: `${name}.` });
}

function checkWhole(name: string, value: unknown, least: number, most: number): void {
  const isAllowed =
    (Number.isSafeInteger(value) || (value === Infinity && most === Infinity)) &&
    (value as number) >= least &&
    (value as number) <= most;
  if (!isAllowed) {
    const range = most === Infinity ? `from ${least} on, or Infinity` : `from ${least} to ${most}`;
    throw invalid(`eventTable.${name}`, value, `a whole number ${range}`);
  }
}

function invalid(name: string, value: unknown, allowed: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `\`${name}\` is ${shownOption(value)}; it must be ${allowed}.`,
  );
}
