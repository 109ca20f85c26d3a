import { plain } from './plain-text.js';

/**
 * The kind of an error, for programs. The error's message is for people: it tells the cause, the
 * value and the remedy.
 */
export type SseErrorCode =
  /** An option of the module, a decorator or a call is not one of the allowed values. */
  | 'INVALID_OPTION'
  /** A channel or key name is empty, too long, or not a string. */
  | 'INVALID_CHANNEL'
  /** An event's `type`, `id`, `retry` or `data` cannot be sent as Server-Sent Events. */
  | 'INVALID_EVENT'
  /** An event exceeds `limits.eventSize`, or the limit of the system behind its channel. */
  | 'EVENT_TOO_LARGE'
  /** `ioredis` or `pg` is needed and not installed, or Nest is too old. */
  | 'MISSING_PEER'
  /** The option that names the system this call needs (`redis`, `postgres`) is not set. */
  | 'NOT_CONFIGURED'
  /** Redis or Postgres cannot be reached, or has refused this application for good. */
  | 'UNAVAILABLE'
  /** The client of a `transaction` of yours did not write the event; `cause` is its error. */
  | 'TRANSACTION_FAILED'
  /** A limit is reached, such as that of open channels (`limits.channels`). */
  | 'LIMIT_REACHED'
  /** The caller of `nestjs-sse-channels/publish` may not publish to the channel. */
  | 'FORBIDDEN'
  /** The channel has an active run. */
  | 'RUN_ACTIVE'
  /** The application is shutting down. */
  | 'CLOSED';

const PAGES = 'https://github.com/nestjs-sse-channels/nestjs-sse-channels/blob/main/docs/errors/';

/** Errors of this package that inherit from a class of the framework, which answers them by that. */
const inherited = new WeakSet<object>();

/** Makes an error of another class an `SseError` for `instanceof`. */
export function asSseError(error: SseError): void {
  inherited.add(error);
}

/** The address of the page about errors of a code. */
export function helpOf(code: SseErrorCode): string {
  return `${PAGES}${code.toLowerCase().replaceAll('_', '-')}.md`;
}

/** Every error this package throws or rejects with. */
export class SseError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    try {
      const isOfClass = Function.prototype[Symbol.hasInstance].call(this, value);
      return isOfClass || (this === SseError && inherited.has(value as object));
    } catch {
      // Users' code may throw a proxy that does not tell its class.
      return false;
    }
  }

  override readonly name = 'SseError';
  /** The address of the page about errors of this code. */
  readonly help: string;

  constructor(
    readonly code: SseErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    // Applications log it, and it may name what a client has chosen.
    super(plain(message), options);
    this.help = helpOf(code);
  }
}
