/** Why a client is closed, waits, or gave a reader up. */
export class SseClientError extends Error {
  override readonly name = 'SseClientError';

  /**
   * @param status the HTTP status of the answer that caused it. `undefined`: it was no answer
   * @param cause what the platform threw
   */
  constructor(
    message: string,
    readonly status?: number,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}
