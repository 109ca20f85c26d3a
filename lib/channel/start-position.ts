/** The Last-Event-ID of a client that wants to start at the oldest retained event. */
export const EARLIEST = 'earliest';

/** The suffix of a position whose event the client has not received, though it starts after it. */
const NEXT = '~next';
const MARK = /~next[\w.-]*$/;

/**
 * The position of a client that starts after an event that it did not receive. If that event
 * ended its run, this client waits for the next run, also when it returns; a client that did
 * receive the end gets nothing more.
 *
 * @param entry distinguishes several entries after one event, such as resets. Default: empty
 */
export function nextAfter(position: string, entry = ''): string {
  return isNextAfter(position) ? position : position + NEXT + entry;
}

/** Whether the client has not received the event at its position. */
export function isNextAfter(position: string): boolean {
  return MARK.test(position);
}

/** The source's position, without the suffix of `nextAfter`. */
export function plainPosition(position: string): string {
  return position.replace(MARK, '');
}
