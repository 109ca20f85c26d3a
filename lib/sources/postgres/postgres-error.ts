import { SseError } from '../../channel/sse-error.js';

/** Says in one line what went wrong with a connection. */
export function describe(error: unknown): string {
  // By shape: where tests run in a context of their own, Node's errors are of another class.
  const { message, code, name, errors } = (error ?? {}) as Partial<AggregateError> & {
    readonly code?: string;
  };
  if (Array.isArray(errors) && errors.length > 0) {
    // Node reports a host name with several addresses like this, with an empty message.
    return [...new Set(errors.map(describe))].join(', ');
  }
  return message || code || name || String(error);
}

/** True when a statement failed for want of a server, not because of what it says. */
function isUnavailable(error: unknown): boolean {
  const { severity, code } = error as { severity?: unknown; code?: unknown };
  if (severity === undefined) {
    return (error as Partial<Error>).name !== 'TypeError';
  }
  // Connection, authorisation, no such database, resources, shutdown and start-up.
  return typeof code === 'string' && /^(08|28|3D|53|57P)/.test(code);
}

/** Turns a failure to reach the server into an `SseError`; other errors stay what they are. */
export function unavailable(error: unknown, what: string): unknown {
  if (error instanceof SseError || !isUnavailable(error)) {
    return error;
  }
  return new SseError(
    'UNAVAILABLE',
    `${what}: ${describe(error)}. Check the option "postgres" and that the server is running.`,
    { cause: error },
  );
}
