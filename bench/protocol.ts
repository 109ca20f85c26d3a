import type { Platform, Protocol } from './servers/peer.js';

/** What the bench asks of a server process, and what it answers. */
export interface ServerCommands {
  start: { args: StartOptions; result: { port: number; ackPort: number; paths: string[] } };
  /** Closed loop: a turn is published while fewer than `window` turns are still under way. */
  saturate: { args: SaturateOptions; result: Published };
  /** Open loop at a fixed rate. */
  rate: { args: RateOptions; result: Published };
  /** Publishes turns without waiting for anybody; for the calibration of the load. */
  blast: { args: { turns: number; burst: number }; result: { turns: number } };
  memory: { args: undefined; result: Memory };
  cpu: { args: undefined; result: { micros: number } };
  stop: { args: undefined; result: undefined };
}

/** What the bench asks of the load process, and what it answers. */
export interface LoadCommands {
  connect: { args: ConnectOptions; result: { elapsedMs: number } };
  /** Closes every connection. */
  leave: { args: undefined; result: undefined };
  /** Connects to the server's acknowledgement port: one byte for every `unit` events received. */
  acknowledge: { args: { port: number; unit: number }; result: undefined };
  /** Blocks the load's event loop, so that everything published meanwhile waits in the sockets. */
  hold: { args: { ms: number; events: number }; result: { micros: number } };
  /** Resolves when so many events have arrived in all, or nothing has for `quietMs`. */
  settle: { args: { events: number; quietMs: number }; result: Counts };
  latencies: { args: { capacity: number }; result: undefined };
  percentiles: { args: undefined; result: Percentiles };
  cpu: { args: undefined; result: { micros: number } };
  close: { args: undefined; result: undefined };
}

export interface StartOptions {
  peer: string;
  channels: number;
  /** Whether the endpoint with a per-client `filter()` is asked for. */
  filtered: boolean;
  /** Milliseconds between heartbeats, 0 for none. */
  heartbeat: number;
  platform: Platform;
  protocol: Protocol;
}

export interface SaturateOptions {
  burst: number;
  window: number;
  /** How long turns are published, in milliseconds; at least one turn is. */
  durationMs: number;
}

export interface RateOptions {
  perSecond: number;
  durationMs: number;
}

export interface Published {
  turns: number;
  /** From the first publish to the last acknowledgement, in microseconds. */
  elapsedMicros: number;
  /** CPU time of the server (user and system) in that time, in microseconds. */
  cpuMicros: number;
  /** 99th percentile of the server's event-loop delay in milliseconds, where the server is a Node process. */
  loopDelayP99Ms?: number;
  /** Write system calls of the server in that time, where the system counts them. */
  writes?: number;
  /** Turns that were never acknowledged. */
  unacknowledged: number;
}

export interface Memory {
  rss: number;
  /** Of the V8 heap after a full collection, in bytes, where the server is a Node process. */
  heap?: number;
  /** Memory outside the V8 heap that belongs to its objects, in bytes. */
  external?: number;
}

export interface ConnectOptions {
  port: number;
  protocol: Protocol;
  /** One path a channel; client i asks for path i modulo their number. */
  paths: string[];
  clients: number;
  /** Checks every sequence number, instead of only counting events. */
  verify: boolean;
}

export interface Counts {
  total: number;
  /** Fewest and most events that a single client received. */
  least: number;
  most: number;
  /** Sequence numbers missing and repeated, when they are verified. */
  lost: number;
  duplicates: number;
  /** Connections that the server closed. */
  closed: number;
  /** Bytes received in all, heads and heartbeats included. */
  bytes: number;
}

export interface Percentiles {
  samples: number;
  p50Ms: number;
  p99Ms: number;
}

export interface Request {
  id: number;
  command: string;
  args: unknown;
}

export interface Reply {
  id: number;
  result?: unknown;
  error?: string;
}

type Handlers<C> = {
  [K in keyof C]: (
    args: C[K] extends { args: infer A } ? A : never,
  ) =>
    | (C[K] extends { result: infer R } ? R : never)
    | Promise<C[K] extends { result: infer R } ? R : never>;
};

/** Answers the parent process's requests with these handlers until it goes away. */
export function serve<C>(handlers: Handlers<C>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: Request) => {
    const handler = handlers[message.command as keyof C] as (args: unknown) => unknown;
    Promise.resolve()
      .then(() => handler(message.args))
      .then(
        (result) => process.send?.({ id: message.id, result } satisfies Reply),
        (error: unknown) =>
          process.send?.({
            id: message.id,
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          } satisfies Reply),
      );
  });
}
