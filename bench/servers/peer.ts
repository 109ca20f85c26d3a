/** One of the servers that are compared. Each file of this folder exports one as `peer`. */
export interface Peer {
  /** Why the peer cannot run on this machine, or `undefined` when it can. */
  unavailable?(): string | undefined;
  start(options: PeerOptions): Promise<PeerServer>;
}

export interface PeerOptions {
  /** Names of the channels that will be published on. */
  readonly channels: readonly string[];
  /** Whether clients read from an endpoint with a `filter()` of their own. */
  readonly filtered: boolean;
  /** Milliseconds between heartbeats, 0 for none. */
  readonly heartbeat: number;
  /** What Nest runs on, for the peers that use it. */
  readonly platform: Platform;
  /** What clients speak; most peers have HTTP/1.1 without TLS only. */
  readonly protocol: Protocol;
}

export type Platform = 'express' | 'fastify';

/** `https` is HTTP/1.1, and `http2` is over TLS as well, as browsers have it. */
export type Protocol = 'http' | 'https' | 'http2';

export interface PeerServer {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Path of a channel's stream. */
  path(channel: string): string;
  /** Publishes the events of one event-loop turn. */
  publish(channel: string, events: readonly string[]): void;
  /** The process that delivers, when it is not this one. */
  readonly pid?: number;
  stop(): Promise<void>;
}
