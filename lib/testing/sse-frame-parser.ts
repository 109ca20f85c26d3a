/** One block of an event stream: the lines up to and including an empty one. */
export interface SseFrame {
  /** The frame as it came, decoded, including the empty line that ends it. */
  readonly raw: string;
  /** The `event:` field. Unset when the frame has none. */
  readonly type?: string;
  /** The `data:` fields, joined by LF. Unset when the frame has none: then it is no event. */
  readonly data?: string;
  /** The `id:` field. Unset when the frame has none, or one that holds NUL. */
  readonly id?: string;
  /** The `retry:` field in milliseconds. Unset when the frame has none, or one that is no number. */
  readonly retry?: number;
  /** The comments of the frame, without the colon and one space after it. */
  readonly comments: readonly string[];
}

type Fields = { -readonly [K in 'type' | 'data' | 'id' | 'retry']?: SseFrame[K] };

const LINE_END = /\r\n|\r|\n/g;

/**
 * Parses an event stream as the HTML standard says: UTF-8 with an optional byte order mark, lines
 * that end in LF, CR or CRLF, and chunks that may be cut anywhere. A frame that is not complete
 * when the stream ends is dropped.
 */
export class SseFrameParser {
  private readonly decoder = new TextDecoder('utf-8');
  private pending = '';
  private raw = '';
  private fields: Fields = {};
  private comments: string[] = [];
  private afterCr = false;

  /**
   * @param onFrame takes every complete frame, also those that are no event
   * @param onComment takes each comment at the end of its line, such as a heartbeat: the frame that
   * the
   * comment belongs to may end much later. Default: none
   */
  constructor(
    private readonly onFrame: (frame: SseFrame) => void,
    private readonly onComment?: (comment: string) => void,
  ) {}

  /** Takes the next bytes of the stream. */
  push(chunk: Uint8Array): void {
    let decoded = this.decoder.decode(chunk, { stream: true });
    if (decoded === '') return;
    // A CR ends its line at once, so that a frame does not wait for the next chunk. If that begins
    // with LF, this belongs to the CR and ends no line.
    if (this.afterCr && decoded.startsWith('\n')) decoded = decoded.slice(1);
    this.afterCr = decoded.endsWith('\r');

    const text = this.pending + decoded;
    let start = 0;
    for (const end of text.matchAll(LINE_END)) {
      this.line(text.slice(start, end.index), end[0]);
      start = end.index + end[0].length;
    }
    this.pending = text.slice(start);
  }

  private line(line: string, end: string): void {
    this.raw += line + end;
    if (line !== '') {
      this.field(line);
      return;
    }
    const { raw, fields, comments } = this;
    this.raw = '';
    this.fields = {};
    this.comments = [];
    this.onFrame({ raw, ...fields, comments });
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    const { fields } = this;
    if (colon === 0) {
      this.comments.push(value);
      this.onComment?.(value);
    } else if (name === 'event') fields.type = value;
    else if (name === 'data')
      fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`;
    else if (name === 'id' && !value.includes('\0')) fields.id = value;
    else if (name === 'retry' && /^[0-9]+$/.test(value)) fields.retry = Number(value);
  }
}
