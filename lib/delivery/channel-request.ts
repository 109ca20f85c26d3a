import type { ChannelSource } from '../channel/source.js';

/** One channel that a client wants to read. */
export interface ChannelRequest {
  readonly source: ChannelSource;
  readonly name: string;
  /**
   * Whether the client may return with other channels. Event ids then name their channels, as they
   * always do with several. Default: false.
   */
  readonly isOfSet?: boolean;
  /**
   * Whether each event's id is the position in its own channel only, with the label of the channel.
   * Default: with labels, an id is the positions in all channels.
   */
  readonly hasOwnIds?: boolean;
}

/** How event ids are written. */
export type IdForm = Required<Pick<ChannelRequest, 'isOfSet' | 'hasOwnIds'>>;
