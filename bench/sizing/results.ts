/** What `npm run bench:sizing` writes to `docs/bench-sizing.json`. Medians of its rounds. */
export interface SizingReport {
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  readonly rounds: number;
  /** An idle connection, by what serves it. */
  readonly connections: Readonly<Record<Stack, ConnectionSize>>;
  readonly channels: ChannelSize;
  readonly redis: Readonly<Record<RedisCase, RedisLoad>>;
}

/** What an application may run on. */
export type Stack = 'express' | 'fastify' | 'https' | 'http2';

export interface ConnectionSize {
  /** Resident memory of the process, in bytes. */
  readonly rss: number;
  /** Of that in V8's heap. */
  readonly heap: number;
  /** CPU time of opening a stream once code is compiled, in microseconds. */
  readonly cpuPerOpening: number;
}

/** Bytes in V8's heap and outside it. */
export interface ChannelSize {
  /** A channel beside its events. */
  readonly channel: number;
  /** A retained event with data of 100 bytes, in latin1. */
  readonly event100: number;
  /** The same of 1,000 bytes. */
  readonly event1000: number;
}

/** How events are sent: one in each call, or 20 in a turn of the event loop; and how many instances read them. */
export type RedisCase = 'single-1' | 'single-3' | 'burst-1' | 'burst-3';

/** CPU time for an event, in microseconds. */
export interface RedisLoad {
  readonly redis: number;
  readonly sender: number;
  /** Of one instance that reads the channel, with one client. */
  readonly receiver: number;
  /** Bytes that Redis writes for an event to all of its clients. */
  readonly redisOutput: number;
}
