import { sized } from './soak.js';

/** In a long run there is more to wait for at a time. */
const DEADLINE_MS = sized({ quick: 30_000, soak: 180_000 });

/** How long {@link until} waits and what it says when it gives up. */
export interface UntilOptions {
  /** Milliseconds until the wait fails. Default 30,000, in a long run 180,000: the machine may be busy. */
  deadline?: number;
  /** What is waited for, for the error. Default: the condition's source text. */
  what?: string;
  /** Milliseconds between two looks at the condition. Default 5. */
  every?: number;
}

/**
 * Waits until the condition is truthy and resolves with its value.
 *
 * @throws Error that names what was waited for once the deadline has passed.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, null | undefined | false | 0 | ''>> {
  const { deadline = DEADLINE_MS, every = 5 } = options;
  const started = performance.now();
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, null | undefined | false | 0 | ''>;
    if (performance.now() - started > deadline) {
      const what = options.what ?? String(condition);
      throw new Error(`Waited ${deadline} ms in vain for: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
