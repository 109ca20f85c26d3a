/** What a process under measurement is. */
export type Kind = 'ours' | 'socket.io' | 'relay' | 'resumable-stream';

/** What carries the chunks of a source: a run, an event for each, or a resumable stream. */
export type Carrier = 'run' | 'send' | 'resumable-stream';

/** What the measuring process asks of one under measurement. */
export type Call =
  | { readonly do: 'start'; readonly as: Kind }
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
  /** Begins so many sources, each of `chunks` texts, one every `interval` ms once `go` is asked. */
  | {
      readonly do: 'begin';
      readonly count: number;
      readonly chunks: number;
      readonly interval: number;
      readonly carrier: Carrier;
    }
  | { readonly do: 'go' }
  /** The 99th percentile of the event loop's delay since the last such call, in milliseconds. */
  | { readonly do: 'loop' }
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
