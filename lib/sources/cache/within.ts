/** How long a stop waits for the store's replies, in milliseconds: shutdown must not hang on it. */
export const STOP_WAIT_MS = 300;

/** Waits for the promise, but not longer than the given milliseconds. */
export async function within(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => (timer = setTimeout(resolve, milliseconds)));
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
