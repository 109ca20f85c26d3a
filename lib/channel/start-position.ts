/** Stands in place of a Last-Event-ID for the oldest event that is retained. */
export const EARLIEST = 'earliest';

/** Ends the position of a client that has not received the event there. */
const NEXT = '~next';

/**
 * The position of a client that starts behind an event it did not receive. That event may have
 * ended its run: this client waits for the next run, also when it returns, while one that did
 * receive the end has nothing left to come for.
 */
export function nextAfter(position: string): string {
  return isNextAfter(position) ? position : position + NEXT;
}

/** Whether the client has not received the event at its position. */
export function isNextAfter(position: string): boolean {
  return position.endsWith(NEXT);
}

/** The position as the source gave it. */
export function plainPosition(position: string): string {
  return isNextAfter(position) ? position.slice(0, -NEXT.length) : position;
}
