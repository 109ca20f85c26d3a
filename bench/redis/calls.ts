/** What the measuring process asks of one under measurement. */
export type Call =
  | { readonly do: 'start'; readonly as: 'ours' | 'socket.io' | 'relay' }
  /** Sends `burst` events in each turn of the event loop, and awaits the last of them. */
  | {
      readonly do: 'send';
      readonly channel: string;
      readonly data: string;
      readonly turns: number;
      readonly burst: number;
    }
  /** Subscribes to a bare channel, whose messages are times of sending. */
  | { readonly do: 'listen'; readonly channel: string }
  /** How long the messages since the last such call took, in microseconds. */
  | { readonly do: 'received' }
  /** Reads this many keys, each polled once a second. */
  | { readonly do: 'keys'; readonly count: number; readonly poller: Poller }
  | { readonly do: 'usage' }
  | { readonly do: 'stop' };

/** Which instances poll a key: every one that reads it, or one of them. */
export type Poller = 'each' | 'elected';

/** CPU seconds since the start, and bytes of heap after a collection. */
export interface Usage {
  readonly cpu: number;
  readonly heap: number;
}

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}
