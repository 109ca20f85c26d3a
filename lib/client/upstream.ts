import type { SseClientError } from './client-error.js';

/** A channel that somebody wants, and from where. */
export interface Wanted {
  readonly name: string;
  /**
   * The position after which to begin, such as one that an event told; `earliest` for the oldest
   * event that the server keeps. It counts when the channel is new to the {@link Upstream}: after
   * that the upstream knows better. Default: what is sent from now on
   */
  readonly position?: string;
}

/**
 * - `connecting`: a request is on its way.
 * - `open`: events arrive.
 * - `waiting`: the server is away, or the page is offline; the client returns by itself.
 * - `closed`: there is no connection, and none will be made: nobody wants a channel, all have ended,
 *   or the server has refused the client for good. Then there is an error, and whoever wants a channel
 *   anew tries again.
 */
export type ClientStatus = 'connecting' | 'open' | 'waiting' | 'closed';

/** Who brings channels: by a connection of this page, or of another tab. */
export interface Upstream {
  /**
   * Tells all channels that are wanted from now on. Calls of one turn make one request. Of a
   * channel that was unwanted in between, nothing is told but from its new beginning on: otherwise
   * whoever wants it now would miss what came while nobody did.
   */
  want(channels: readonly Wanted[]): void;
  /** Ends everything. Nothing is told to the sink any more, but the status. */
  close(): void;
}

/** An event of a channel as it came. */
export interface UpstreamEvent {
  /** `message` where the server names none. */
  readonly type: string;
  readonly data: string;
  /** `undefined` where the event has none, such as one that the server's handler made up. */
  readonly position: string | undefined;
}

/**
 * How a channel ends, by the handler that is told so: it is complete, the server refuses it, or something
 * went wrong for good, which the error says.
 */
export type Ending = 'onEnd' | 'onDenied' | 'onError';

/** Who hears what an {@link Upstream} brings. It must not throw. */
export interface UpstreamSink {
  /** The channel is live from this position, or has been resumed. */
  opened(channel: string, position: string | undefined): void;
  event(channel: string, event: UpstreamEvent): void;
  /** Events may be missing. What comes next comes after this position. */
  reset(channel: string, reason: string, position: string | undefined): void;
  /** The channel is over. It is asked for again when `want()` names it after that. */
  over(channel: string, how: Ending, error?: SseClientError): void;
  /** An error that is not final tells of an attempt that has failed: another will be made. */
  status(status: ClientStatus, error?: SseClientError): void;
}
