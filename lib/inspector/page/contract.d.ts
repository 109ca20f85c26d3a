/** What the routes of the inspector answer, beside the overview. */

/** A row of `channels`. */
export interface ChannelRow {
  readonly name: string;
  readonly source: string;
  readonly readers: number;
  readonly slow: number;
  /** Retained events, and their bytes. */
  readonly events: number;
  readonly bytes: number;
  /** The id of the newest event. */
  readonly last?: string;
  /** Since the channel was opened. */
  readonly received: number;
  /** Events per second. */
  readonly rate: number;
  /** How many events the slowest reader is behind. */
  readonly lag: number;
}

/** A row of `connections`. */
export interface ConnectionRow {
  readonly id: string;
  readonly client?: string;
  readonly info?: unknown;
  /** At most five. */
  readonly channels: readonly string[];
  readonly channelCount: number;
  /** In ms since 1970. */
  readonly openedAt: number;
  /** For how many ms the client has not read; 0 if it reads. */
  readonly lag: number;
  /** Events that wait for it. */
  readonly backlog: number;
}

/** An event of `history` and `follow`. */
export interface EventLine {
  /** Counts the events of the channel since it was opened on the instance. */
  readonly place: number;
  readonly id: string;
  readonly type?: string;
  /** Of the data, in bytes. */
  readonly size: number;
  /** In ms since 1970. */
  readonly at?: number;
  readonly data?: string;
  /** Whether the data is longer than what is told. */
  readonly cut?: true;
}

/** An answer with rows. */
export interface Page<Row> {
  /** Of all rows that fit. */
  readonly total: number;
  /** From `offset` on. */
  readonly rows: readonly Row[];
  /** Who has answered. */
  readonly instance?: string;
}
