import type { CountedAs } from './client.js';
import type { Connection } from './connection.js';

/** Counts who attends which channels, for the connections that are to be counted. */
export interface Attendance {
  /**
   * A connection has opened, or reads other channels than before.
   *
   * @param isAnnounced whether its channels tell of clients that come and go
   */
  enter(connection: Connection, counted: CountedAs, isAnnounced: boolean): void;
  /** A connection has ended. Does nothing for one that did not enter. */
  leave(connection: Connection): void;
}
