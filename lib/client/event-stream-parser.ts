/** The longest reconnection time that a server may give, in milliseconds. */
const MAX_RETRY_MS = 3_600_000;

/** One frame of an event stream: the lines up to an empty one. */
export interface Frame {
  /** Empty where the frame names none. */
  readonly type: string;
  /** `undefined` where the frame has none: then it is no event. */
  readonly data: string | undefined;
  /** `undefined` where this frame has none. */
  readonly id: string | undefined;
}

/**
 * Parses an event stream as the standard says, from bytes that are cut anywhere. The work is in
 * proportion to the bytes: a long line is put together once, when its end has come.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventStreamParser {
  /** The last reconnection time that the server gave, in milliseconds, an hour at most. */
  retry: number | undefined;
  // It takes the byte order mark away, and keeps the part of a character.
  private readonly decoder = new TextDecoder();
  private line = '';
  private isAfterCr = false;
  private type = '';
  private data: string | undefined;
  private id: string | undefined;

  /** @param onFrame takes each frame when its empty line has come */
  constructor(private readonly onFrame: (frame: Frame) => void) {}

  /** Takes the next bytes. */
  push(bytes: Uint8Array): void {
    const text = this.decoder.decode(bytes, { stream: true });
    if (text === '') return;
    // A CR ends its line at once. The LF of the next bytes may belong to it.
    let start = this.isAfterCr && text[0] === '\n' ? 1 : 0;
    this.isAfterCr = text.endsWith('\r');
    const ends = /\r\n?|\n/g;
    ends.lastIndex = start;
    for (let end = ends.exec(text); end; end = ends.exec(text)) {
      const line = this.line + text.slice(start, end.index);
      this.line = '';
      start = ends.lastIndex;
      this.take(line);
    }
    this.line += text.slice(start);
  }

  /** Whether the stream has ended inside a frame: what has come of it is no event. Nothing may follow. */
  isCut(): boolean {
    const { type, data, id } = this;
    const line = this.line + this.decoder.decode();
    return line !== '' || type !== '' || data !== undefined || id !== undefined;
  }

  private take(line: string): void {
    if (line === '') {
      const { type, data, id } = this;
      this.type = '';
      this.data = this.id = undefined;
      this.onFrame({ type, data, id });
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'data') this.data = this.data === undefined ? value : `${this.data}\n${value}`;
    else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Math.min(+value, MAX_RETRY_MS);
  }
}
