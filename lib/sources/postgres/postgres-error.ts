import { reasonOf } from '../../channel/reason.js';
import { SseError } from '../../channel/sse-error.js';

/**
 * Says in one line what went wrong. A password function may throw anything, so the error may be
 * anything.
 */
export function failureText(error: unknown): string {
  try {
    // By shape: where tests run in a context of their own, Node's errors are of another class.
    const { message, code, name, errors } = (error ?? {}) as Partial<AggregateError> & {
      readonly code?: string;
    };
    if (Array.isArray(errors) && errors.length > 0) {
      // Node reports a host name with several addresses like this, with an empty message.
      return [...new Set(errors.map(failureText))].join(', ');
    }
    return message || code || name || reasonOf(error);
  } catch {
    return 'an error that cannot be shown';
  }
}

/** True when the server has answered, and refused the statement. */
export function isRefusal(error: unknown): boolean {
  return (error as { severity?: unknown } | null | undefined)?.severity !== undefined;
}

/** The SQLSTATE of a refusal of the server. */
export function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return isRefusal(error) && typeof code === 'string' ? code : undefined;
}

/** True when the server has refused a value, such as one that its encoding cannot hold. */
export function isDataRefusal(error: unknown): boolean {
  return codeOf(error)?.startsWith('22') === true;
}

/** True when a statement failed because no server took it, and not because of what it says. */
function isUnavailable(error: unknown): boolean {
  if (!isRefusal(error)) {
    return (error as Partial<Error> | null | undefined)?.name !== 'TypeError';
  }
  // Connection, authorisation, no such database, resources, shutdown and start-up; and a statement, a
  // transaction or a wait for a lock that took too long.
  return /^(08|28|3D|53|57P|57014|25P0[34]|55P03|40P01)/.test(codeOf(error) ?? '');
}

/** Turns a failure to reach the server into an `SseError`; other errors stay what they are. */
export function unavailable(error: unknown, what: string): unknown {
  if (error instanceof SseError || !isUnavailable(error)) {
    return error;
  }
  return new SseError(
    'UNAVAILABLE',
    `${what}: ${failureText(error)}. Check the option \`postgres\`, and that the server is running.`,
    { cause: error },
  );
}
