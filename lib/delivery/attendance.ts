import type { CountedAs } from './client.js';
import type { ConnectionFilter } from './connection-filter.js';
import type { Connection } from './connection.js';

export interface Attending {
  /** Whether its channels tell of clients that come and go. */
  readonly isAnnounced: boolean;
  /** Whether it reads the same channels for as long as it is open. */
  readonly isFixed: boolean;
}

/** Counts who attends which channels, for the connections that are to be counted. */
export interface Attendance {
  /** A connection has opened, or reads other channels than before. */
  enter(connection: Connection, counted: CountedAs, how: Attending): void;
  /**
   * A connection has ended. Does nothing for one that did not enter.
   * @param isForGood whether nobody waits for its client to come back to a channel
   */
  leave(connection: Connection, counted: CountedAs, isForGood: (channel: string) => boolean): void;
  /** Waits no more for the clients that are meant to come back. */
  waitNoMoreFor(meant: ConnectionFilter): void;
}
