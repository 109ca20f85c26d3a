/** What an {@link SseClientError} tells beside its message. All of it passes between tabs. */
export interface ClientFailure {
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
  readonly isFinal?: boolean | undefined;
}

/** Why a client is closed, waits, or gave a reader up. */
export class SseClientError extends Error {
  override readonly name = 'SseClientError';
  /** The HTTP status of the answer that caused it. `undefined`: it was no answer. */
  readonly status: number | undefined;
  /**
   * Why the server has ended the last stream, as its `sse:end` says: `revoked` by `disconnect()`, or
   * `expired`. `undefined`: it did not say; the network broke, or the server stops.
   */
  readonly reason: string | undefined;
  /** Whether it is not tried again: subscriptions that waited for it have ended. Otherwise the client returns by itself. */
  readonly isFinal: boolean;

  /** @param cause what the platform threw */
  constructor(message: string, failure: ClientFailure = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = failure.status;
    this.reason = failure.reason;
    this.isFinal = !!failure.isFinal;
  }
}
