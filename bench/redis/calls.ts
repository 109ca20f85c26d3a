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
  /** How many keys it polls. */
  | { readonly do: 'polled' }
  /** CPU seconds since the start. */
  | { readonly do: 'cpu' }
  /** Bytes of heap after a collection, which costs CPU time itself. */
  | { readonly do: 'heap' }
  | { readonly do: 'stop' };

/** Which instances poll a key: every one that reads it, or one of them. */
export type Poller = 'each' | 'elected';

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}
