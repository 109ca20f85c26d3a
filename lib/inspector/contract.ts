/** What the routes of the inspector answer, beside the overview: the page reads these types as well. */

/** A row of `channels`. */
export interface ChannelRow {
  readonly name: string;
  /** The kind of what feeds it. */
  readonly source: string;
  readonly readers: number;
  /** Connections that read it and whose clients do not read at the moment. */
  readonly slow: number;
  /** Retained events, and about how many bytes they take. */
  readonly events: number;
  readonly bytes: number;
  /** The id of the newest event. */
  readonly last?: string;
  /** Events since it was opened. */
  readonly received: number;
  /** Events in a second; 0 while no page is open. */
  readonly rate: number;
  /** By how many events its slowest reader is behind. */
  readonly lag: number;
}

/** A row of `connections`. */
export interface ConnectionRow {
  readonly id: string;
  /** The id of the client behind it. */
  readonly client?: string;
  /** What the application tells of the client; only with `showData`. */
  readonly info?: unknown;
  /** The first of its channels, at most five. */
  readonly channels: readonly string[];
  readonly channelCount: number;
  /** In milliseconds since 1970. */
  readonly openedAt: number;
  /** For how many milliseconds its client has not read; 0 while it reads. */
  readonly lag: number;
  /** How many events wait for it. */
  readonly backlog: number;
}

/** An event of `history` and `follow`. */
export interface ShownEvent {
  /** Counts the events of the channel since it was opened here, from 1: ids may be missing, or come again. */
  readonly place: number;
  /** What is on the wire; empty for none. */
  readonly id: string;
  readonly type?: string;
  /** Bytes of its data. */
  readonly size: number;
  /** When this instance received it, in milliseconds since 1970. */
  readonly at: number;
  /** The data, or its beginning; only with `showData`. */
  readonly data?: string;
  /** Set where only the beginning of the data is shown. */
  readonly cut?: true;
}

/** A part of a list. */
export interface Page<Row> {
  /** How many there are in the whole list. */
  readonly total: number;
  /** From the place that was asked for. */
  readonly rows: readonly Row[];
  /** The host and the process that answers: every answer in JSON has it. */
  readonly instance?: string;
}
