/** The message of a thrown value of any kind, for a log line. */
export function reasonOf(error: unknown): string {
  try {
    // No `instanceof`, for errors of other realms; and no call, as the stack may be full.
    const message = (error as Partial<Error> | null | undefined)?.message;
    if (typeof message === 'string') {
      return message;
    }
    // As text, a function would be its source.
    return typeof error === 'function' ? 'a function' : String(error);
  } catch {
    // An object without a prototype, or one whose toString() throws.
    return `a ${typeof error} that cannot be shown`;
  }
}

export function stackOf(error: unknown): string | undefined {
  try {
    return error instanceof Error && typeof error.stack === 'string' ? error.stack : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a thrown value is of a class. Users' code may throw a proxy that does not tell its class. */
export function isOf<T>(thrown: unknown, Kind: abstract new (...args: never[]) => T): thrown is T {
  try {
    return thrown instanceof Kind;
  } catch {
    return false;
  }
}

/** Whether a thrown value says that something was given up, as a signal wanted. */
export function isAbort(thrown: unknown): boolean {
  try {
    return (thrown as Partial<Error> | null | undefined)?.name === 'AbortError';
  } catch {
    return false;
  }
}
