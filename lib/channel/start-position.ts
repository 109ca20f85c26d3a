/** Stands in place of a Last-Event-ID for the oldest event that is retained. */
export const EARLIEST = 'earliest';

/** Follows a position that a client stands behind without having received the event there. */
const NEXT = '~next';
const MARK = /~next[\w.-]*$/;

/**
 * The position of a client that starts behind an event it did not receive. That event may have
 * ended its run: this client waits for the next run, also when it returns, while one that did
 * receive the end has nothing left to come for.
 *
 * @param entry tells apart what stands behind one event, such as several resets. Default: nothing
 */
export function nextAfter(position: string, entry = ''): string {
  return isNextAfter(position) ? position : position + NEXT + entry;
}

/** Whether the client has not received the event at its position. */
export function isNextAfter(position: string): boolean {
  return MARK.test(position);
}

/** The position as the source gave it. */
export function plainPosition(position: string): string {
  return position.replace(MARK, '');
}
