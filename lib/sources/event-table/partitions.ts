import { quoteName } from '../postgres/identifier.js';
import type { Session } from '../postgres/session.js';
import { Ages } from './ages.js';

export interface Partition {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly pending: boolean;
  readonly bytes: number;
  /** The last id that was taken in the whole table. */
  readonly last: number;
  /** When its oldest event was written by the server's clock, in milliseconds since the epoch. */
  readonly oldest: number | undefined;
  /** How old its oldest and its newest event are, in milliseconds. */
  readonly oldestAge: number | undefined;
  readonly newestAge: number | undefined;
}

type Row = Record<string, string | boolean | null>;

/** The partitions of one event table, with the ages of their events. */
export class Partitions {
  private readonly s: string;
  private readonly ages = new Ages();

  constructor(schema: string) {
    this.s = quoteName(schema);
  }

  /** Reads the partitions, in the order of their ids. */
  async read(session: Session): Promise<readonly Partition[]> {
    const ms = (time: string): string => `extract(epoch from ${time})::float8 * 1000`;
    const rows = await session.query<Row>({
      text: `select name, low, high, pending, bytes, last, ${ms('oldest')} as oldest,
        ${ms('clock_timestamp() - oldest')} as oldest_age, newest::text as newest,
        ${ms('clock_timestamp() - newest')} as newest_age
        from ${this.s}.usage()`,
    });
    const partitions = rows.map((row) => this.partitionOf(row));
    this.ages.turn();
    return partitions;
  }

  private partitionOf(row: Row): Partition {
    const name = String(row['name']);
    const age = (which: 'oldest' | 'newest'): number | undefined =>
      row[which] === null
        ? undefined
        : this.ages.of(`${name} ${which} ${row[which]}`, Number(row[`${which}_age`]));
    return {
      name,
      low: Number(row['low']),
      high: Number(row['high']),
      pending: row['pending'] === true,
      bytes: Number(row['bytes']),
      last: Number(row['last']),
      oldest: row['oldest'] === null ? undefined : Number(row['oldest']),
      oldestAge: age('oldest'),
      newestAge: age('newest'),
    };
  }
}
