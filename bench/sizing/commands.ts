/** What the bench asks of the process that holds channels without clients. */
export interface ChannelCommands {
  /** Sends `events` events to each of `channels` new channels, and tells what the process holds then, in bytes. */
  fill: { args: FillOptions; result: { bytes: number } };
}

export interface FillOptions {
  readonly channels: number;
  /** To each channel. */
  readonly events: number;
  /** Data of each event, in bytes. */
  readonly size: number;
}
