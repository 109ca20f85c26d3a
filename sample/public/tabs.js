/**
 * Resolves with true in the first tab of this page, with false in any further one.
 *
 * A browser opens six connections per address over HTTP/1.1, for all tabs together, and
 * an EventSource holds its connection. Two tabs with five streams each would leave none
 * for the buttons. (HTTP/2 has no such limit.)
 */
export async function isFirstTab() {
  // Only there on localhost and https.
  if (!navigator.locks) return true;
  // A page that is being reloaded still holds the lock for a moment.
  for (let attempt = 0; attempt < 4; attempt++) {
    if (await takeLock()) return true;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return false;
}

/** Holds the lock until the tab is closed, if no other tab does. */
function takeLock() {
  return new Promise((resolve) => {
    navigator.locks.request('nestjs-sse-channels sample', { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}
