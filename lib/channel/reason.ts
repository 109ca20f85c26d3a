/** What an error says, for a log line; anything may have been thrown. */
export function reasonOf(error: unknown): string {
  try {
    // Read without a call, as the stack may be used up; errors of other realms have one as well.
    const message = (error as Partial<Error> | null | undefined)?.message;
    return typeof message === 'string' ? message : String(error);
  } catch {
    // An object without a prototype, or one whose toString() throws.
    return `a ${typeof error} that cannot be shown`;
  }
}

/** Where an error was thrown, if it tells. */
export function stackOf(error: unknown): string | undefined {
  try {
    return error instanceof Error && typeof error.stack === 'string' ? error.stack : undefined;
  } catch {
    return undefined;
  }
}
