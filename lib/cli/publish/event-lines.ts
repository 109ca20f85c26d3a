/** How a line of stdin becomes an event. */
export interface LineFormat {
  /** The channel of events without one. */
  readonly channel: string | undefined;
  /** The type of events without one. */
  readonly type: string | undefined;
  /** Whether a line is the data of an event, and not the event in JSON. */
  readonly isData: boolean;
  /** Whether data is text, also where it is an object or an array in JSON. */
  readonly isText: boolean;
}

/** An event that is to be published. */
export interface EventLine {
  /** The number of its line, from 1; `undefined` for the event of the arguments. */
  readonly line: number | undefined;
  /** As the server takes it. */
  readonly event: Readonly<Record<string, unknown>>;
  /** Its size as JSON, in bytes. */
  readonly bytes: number;
}

/**
 * Makes an event of a line.
 * @param key with what its idempotency key begins; `undefined` for none
 * @throws Error that says what is wrong with the line
 */
export function eventOfLine(
  text: string,
  line: number,
  format: LineFormat,
  key: string | undefined,
): EventLine {
  const own = format.isData ? { data: dataOf(text, format.isText) } : objectOf(text);
  const { channel = format.channel, type = format.type } = own as Record<string, unknown>;
  if (channel === undefined) {
    throw new Error('it has no `channel`, and there is no --channel.');
  }
  return lineOf(line, {
    ...(key !== undefined && { idempotencyKey: `${key}:${line}` }),
    ...own,
    channel,
    ...(type !== undefined && { type }),
  });
}

export function lineOf(line: number | undefined, event: Record<string, unknown>): EventLine {
  return { line, event, bytes: Buffer.byteLength(JSON.stringify(event)) };
}

/** An object or array when the text is one in JSON, unless it is to be text. */
export function dataOf(text: string, isText: boolean): unknown {
  if (!isText && /^\s*[[{]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // It is some text.
    }
  }
  return text;
}

/** @throws Error */
function objectOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON. Give {"channel": …, "data": …}, or text with --lines.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('it is no object. Give {"channel": …, "data": …}.');
  }
  return value as Record<string, unknown>;
}
