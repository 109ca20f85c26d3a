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
  return new Promise((resolve) => {
    navigator.locks
      // The moment is for a reload: the page that goes still holds the lock.
      .request('nestjs-sse-channels sample', { signal: AbortSignal.timeout(500) }, () => {
        resolve(true);
        return new Promise(() => {}); // held until the tab is closed
      })
      .catch(() => resolve(false));
  });
}
