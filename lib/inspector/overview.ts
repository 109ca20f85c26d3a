/** What the page receives each second about the instance. */
export interface Overview {
  /**
   * When it was made; all dates are in milliseconds since 1970, by a clock that the process started with: setting the
   * system's time does not move it.
   */
  readonly at: number;
  /** The host and the process. */
  readonly instance: string;
  /** Of the package. */
  readonly version: string;
  readonly startedAt: number;
  readonly showData: boolean;
  readonly send: boolean;
  readonly totals: {
    readonly connections: number;
    readonly opening: number;
    readonly channels: number;
    readonly readers: number;
    /** Connections whose clients do not read at the moment. */
    readonly slow: number;
    /** Retained events, and about how many bytes they take. */
    readonly events: number;
    readonly bytes: number;
    readonly polledKeys: number;
    readonly runs: number;
    /** In bytes. */
    readonly rss: number;
    readonly heap: number;
    /** For how many milliseconds the event loop was late, in the worst percent of the last second. */
    readonly loopDelay: number;
  };
  /** Since the start: they only grow. */
  readonly counters: {
    readonly opened: number;
    readonly ended: number;
    readonly received: number;
    readonly sent: number;
    readonly sentBytes: number;
    readonly refused: number;
    readonly stalled: number;
    readonly resets: number;
  };
  readonly refusedBy: Readonly<Record<string, number>>;
  readonly endedBy: Readonly<Record<string, number>>;
  readonly resetsBy: Readonly<Record<string, number>>;
  readonly systems: readonly ShownSystem[];
  /** The last ones since the start. */
  readonly outages: readonly ShownOutage[];
}

/** A system behind the sources. */
export interface ShownSystem {
  readonly name: string;
  readonly up: boolean;
  /** Since when it is away. */
  readonly since?: number;
  /** What the log says of it. */
  readonly error?: string;
}

export interface ShownOutage {
  readonly system: string;
  readonly from: number;
  /** Unset while it lasts. */
  readonly to?: number;
  /** What the log said when it began. */
  readonly error?: string;
}
