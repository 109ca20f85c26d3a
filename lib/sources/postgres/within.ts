/**
 * Waits for a promise, but no longer than `ms` milliseconds. The time limit is ours
 * because the one `pg` has for queries leaves a half-open client stuck.
 *
 * @throws Error when the time is over.
 */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
