import type { ChannelRequest } from '../delivery/channel-request.js';
import type { ChannelSet } from './channel-set.js';

/** What a request may read. */
export interface GrantedChannels {
  readonly channels: readonly ChannelRequest[];
  /** The names of those that the application refuses to its client. */
  readonly denied: readonly string[];
  /** How the channels change while the stream is open, if they do. */
  readonly set?: ChannelSet;
  /** The position at which the client begins, in place of its own. */
  readonly start?: string;
  /** Where the client begins in some of the channels, by their names, before all other positions. */
  readonly from?: ReadonlyMap<string, string>;
  /** Whether the client has chosen the channels by itself. */
  readonly isOwnChoice?: boolean;
  /** What is not there, if the client gets no stream: a run to follow, or the store of runs. */
  readonly missing?: 'run' | 'store';
}
