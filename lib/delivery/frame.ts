import { labelledPosition } from '../channel/composite-id.js';
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

/**
 * The frame of a heartbeat: a comment, which clients ignore. It has no empty line, as some
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

/** The frame of an entry under the label of its channel. */
export function labelledFrame(label: string, entry: LogEntry): string {
  const { resumeAt } = entry;
  return withId(entryFields(entry), resumeAt && labelledPosition(label, resumeAt));
}

/** The frame of an entry under another id, or without one. */
export function entryFrameWith(id: string | undefined, entry: LogEntry): string {
  return withId(entryFields(entry), id);
}

function entryFields(entry: LogEntry): string {
  return (entry.fields ??= fieldsOf(entry.type, entry.retry, entry.data));
}

/**
 * The id comes last: some clients take it when its line arrives, and would not get the event
 * again when the connection breaks inside the frame. An empty one would erase the client's.
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
    // Faster than the expression, and nearly all data is one line.
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
