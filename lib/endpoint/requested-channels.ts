import type { ChannelRequest } from '../delivery/subscription.js';
import type { ChannelSet } from './channel-set.js';

/** What a request may read. */
export interface RequestedChannels {
  readonly channels: readonly ChannelRequest[];
  /** The names of those that the application refuses to its client. */
  readonly denied: readonly string[];
  /** How the channels change while the stream is open, if they do. */
  readonly set?: ChannelSet;
  /** The position at which the client begins, in place of its own. */
  readonly start?: string;
  /** What is not there, if the client gets no stream: a run to follow, or the store of runs. */
  readonly missing?: 'run' | 'store';
}
