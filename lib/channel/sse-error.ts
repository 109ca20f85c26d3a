/**
 * What went wrong, for programs. The message says it for people: what was wrong,
 * the value, and the remedy.
 */
export type SseErrorCode =
  /** An option of the module, a decorator or a call is not one of the allowed values. */
  | 'INVALID_OPTION'
  /** A channel or key name is empty, too long, or not a string. */
  | 'INVALID_CHANNEL'
  /** An event's `type`, `id`, `retry` or `data` cannot be sent as Server-Sent Events. */
  | 'INVALID_EVENT'
  /** An event is larger than `limits.eventSize`, or than the system behind its channel takes. */
  | 'EVENT_TOO_LARGE'
  /** `ioredis` or `pg` is needed and not installed. */
  | 'MISSING_PEER'
  /** The option that names the system this call needs (`redis`, `postgres`) is not set. */
  | 'NOT_CONFIGURED'
  /** Redis or Postgres cannot be reached, or refused us for good. */
  | 'UNAVAILABLE'
  /** Too much of something is open or waits, such as the channels of `limits.channels`. */
  | 'LIMIT_REACHED'
  /** The application is shutting down. */
  | 'CLOSED';

/** Every error this package throws or rejects with. */
export class SseError extends Error {
  override readonly name = 'SseError';

  constructor(
    readonly code: SseErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
