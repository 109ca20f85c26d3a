/**
 * Calls a user's function. What it throws, or rejects with, is reported as an uncaught error of the
 * page is, and goes no further.
 */
export function call<Args extends unknown[]>(
  callback: ((...args: Args) => unknown) | undefined,
  ...args: Args
): void {
  try {
    const result = callback?.(...args) as PromiseLike<unknown> | undefined;
    if (typeof result?.then === 'function') result.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

function report(error: unknown): void {
  const { reportError, console } = globalThis as unknown as Reporters;
  if (reportError) reportError(error);
  // Node has none; there an uncaught error ends the process.
  else console.error(error);
}

interface Reporters {
  readonly reportError?: (error: unknown) => void;
  readonly console: { error(error: unknown): void };
}
