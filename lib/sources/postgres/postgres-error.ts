import { SseError } from '../../channel/sse-error.js';

/** Says in one line what went wrong with a connection. */
export function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // Node reports a host name with several addresses like this, with an empty message.
    return [...new Set(error.errors.map(describe))].join(', ');
  }
  if (!(error instanceof Error)) {
    return String(error);
  }
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}

/** True when a statement failed for want of a server, not because of what it says. */
function isUnavailable(error: unknown): boolean {
  const { severity, code } = error as { severity?: unknown; code?: unknown };
  if (severity === undefined) {
    return !(error instanceof TypeError);
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
