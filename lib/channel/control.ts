/**
 * Takes the commands of a broker's control log, by which one instance makes all others end
 * connections. The broker calls it in the order of the log.
 */
export interface ControlSink {
  /**
   * A command of any instance, this one among them. A repeated one does no harm.
   *
   * @param age how long ago it was published, in milliseconds, as far as the broker knows; else 0
   */
  command(text: string, age: number): void;
  /** Every command up to now has been passed on, and later ones will be. */
  caughtUp(): void;
  /**
   * Commands may exist that were not passed on yet. Clients receive nothing until the next
   * `caughtUp()`.
   */
  behind(): void;
  /** Commands were lost before they were passed on. All connections of this instance end. */
  lost(): void;
}

/** A broker's control log, as one instance reads and writes it. */
export interface ControlLog {
  /** The longest `keep` that the broker can promise, in milliseconds. Default: a day. */
  readonly longestKeep?: number | undefined;
  /**
   * Resolves once the system has the command; rejects when it does not. An instance that starts later
   * needs it for `keep` ms from now on; all others need it until they have read it.
   */
  publish(text: string, keep: number): Promise<void>;
  /** Called at shutdown. The broker must not call the sink after this call. */
  close(): void;
}
