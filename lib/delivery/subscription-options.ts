import type { Channel } from '../channel/channel.js';
import type { Reader } from '../channel/reader.js';

/** A reader of all channels. */
export interface SubscriptionReader extends Reader {
  /** What a channel pulls when it has new events. Default: the reader. */
  readonly readerIn?: (channel: Channel) => Reader;
}

/** Where a client starts, and how long it may take to find out. */
export interface SubscriptionOptions {
  /** The client's Last-Event-ID; `undefined` starts live, `NO_POSITION` after a reset. */
  readonly lastEventId: string | undefined;
  /** Positions to start at in some channels, by their names; they count before `lastEventId`. */
  readonly from?: ReadonlyMap<string, string> | undefined;
  /**
   * Whether the client chooses its channels, so that those that its id does not name are new to it.
   * Default: an id that names none of the channels is a position of another kind.
   */
  readonly isOwnChoice?: boolean | undefined;
  /** How long to wait for sources that are not listening yet, in milliseconds. */
  readonly readyTimeout: number;
}
