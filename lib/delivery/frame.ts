import { labelledPosition } from '../channel/composite-id.js';
import type { LogEntry } from '../channel/log-entry.js';

/**
 * The fields of a frame. On the wire each is a line, and a blank line ends the frame.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export interface FrameFields {
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  readonly retry?: number | undefined;
  readonly data?: string | undefined;
}

/**
 * The frame of a heartbeat: a comment, which clients ignore. No blank line follows, since some
 * clients take that for the end of an event without data.
 */
export const HEARTBEAT_FRAME = ':\n';

const LINE_END = /\r\n|\r|\n/;

/** Writes one frame; without any field it is empty. */
export function frameOf({ id, type, retry, data }: FrameFields): string {
  const fields = fieldsOf(type, retry, data);
  return fields === '' && !id ? '' : withId(fields, id);
}

/** The frame of an entry with its own id. Encoded once, whatever the number of readers. */
export function entryFrame(entry: LogEntry): string {
  return (entry.frame ??= withId(entryFields(entry), entry.id));
}

export function labelledFrame(label: string, entry: LogEntry): string {
  const { resumeAt } = entry;
  return withId(entryFields(entry), resumeAt && labelledPosition(label, resumeAt));
}

export function entryFrameWith(id: string | undefined, entry: LogEntry): string {
  return withId(entryFields(entry), id);
}

function entryFields(entry: LogEntry): string {
  return (entry.fields ??= fieldsOf(entry.type, entry.retry, entry.data));
}

/**
 * The id comes last: some clients keep it as soon as its line arrives, and would miss the event if
 * the connection broke inside the frame. An empty id is left out: it would erase the client's.
 */
function withId(fields: string, id: string | undefined): string {
  return id ? `${fields}id: ${id}\n\n` : `${fields}\n`;
}

function fieldsOf(
  type: string | undefined,
  retry: number | undefined,
  data: string | undefined,
): string {
  let fields = type === undefined ? '' : `event: ${type}\n`;
  if (retry !== undefined) {
    fields += `retry: ${retry}\n`;
  }
  if (data !== undefined) {
    // Searching is faster than splitting, and nearly all data is one line.
    fields +=
      data.includes('\n') || data.includes('\r')
        ? data
            .split(LINE_END)
            .map((line) => `data: ${line}\n`)
            .join('')
        : `data: ${data}\n`;
  }
  return fields;
}
