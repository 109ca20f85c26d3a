/** What an error says, for a log line; anything may have been thrown. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
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
