/** One open stream of this instance. */
export interface SseConnection {
  /** Tells this connection from all others, also from those of other instances. */
  readonly id: string;
  /** The id of the client behind it, as the option `client` tells it; `undefined` without one. */
  readonly client: string | undefined;
  /** What the option `client` tells of the client, read from JSON anew with each call. */
  readonly info: unknown;
  /** The names of its channels; none for a handler that brings a stream of its own. */
  readonly channels: readonly string[];
  readonly openedAt: Date;
}
