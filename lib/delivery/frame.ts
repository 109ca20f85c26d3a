import type { LogEntry } from '../channel/log-entry.js';

/**
 * Frames as the standard reads them: one field a line, a blank line at the end.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export interface FrameFields {
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  readonly retry?: number | undefined;
  readonly data?: string | undefined;
}

/** The frame of a heartbeat: a comment, which clients ignore. */
export const HEARTBEAT_FRAME = ':\n\n';

const LINE_END = /\r\n|\r|\n/;

/** Writes one frame. */
export function frameOf({ id, type, retry, data }: FrameFields): string {
  return (id === undefined ? '' : `id: ${id}\n`) + bodyOf(type, retry, data);
}

/** The frame of an entry with its own id. Encoded once, whatever the number of readers. */
export function entryFrame(entry: LogEntry): string {
  return (entry.frame ??= `id: ${entry.id}\n${entryBody(entry)}`);
}

/** The frame of an entry without the id line, for readers that write an id of their own. */
export function entryBody(entry: LogEntry): string {
  return (entry.body ??= bodyOf(entry.type, entry.retry, entry.data));
}

function bodyOf(
  type: string | undefined,
  retry: number | undefined,
  data: string | undefined,
): string {
  let body = type === undefined ? '' : `event: ${type}\n`;
  if (retry !== undefined) {
    body += `retry: ${retry}\n`;
  }
  if (data !== undefined) {
    // Faster than the expression, and nearly all data is one line.
    body +=
      data.includes('\n') || data.includes('\r')
        ? data
            .split(LINE_END)
            .map((line) => `data: ${line}\n`)
            .join('')
        : `data: ${data}\n`;
  }
  return body + '\n';
}
