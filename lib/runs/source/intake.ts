import { types } from 'node:util';
import type { RunChunk } from '../../channel/runs.js';
import { SseError } from '../../channel/sse-error.js';
import { SseFrameParser, type SseFrame } from '../../testing/sse-frame-parser.js';
import type { BytesAs, RunFormat } from '../formats/run-format.js';

/** Turns the values of one run's source into chunks. Bytes may be cut anywhere. */
export class Intake {
  private readonly bytesAs: BytesAs;
  private readonly decoder = new TextDecoder();
  private line = '';
  /** The first half of a character that was cut between two strings. */
  private half = '';
  private parser: SseFrameParser | undefined;
  private readonly frames: SseFrame[] = [];
  /** The beginning of what should be frames; unset once it is known to be one of a frame. */
  private beginning: Uint8Array | undefined;
  /** How many bytes of a frame that is not complete were read. */
  private unread = 0;

  /**
   * @param hasFrames whether bytes are frames, whatever the format makes of them
   * @param mostBytes how large one line or frame may be
   */
  constructor(
    private readonly format: RunFormat,
    hasFrames: boolean,
    private readonly mostBytes: number,
  ) {
    this.bytesAs = hasFrames ? 'frames' : (format.bytesAs ?? 'text');
    // What its sender calls an event stream is one.
    this.beginning = hasFrames ? undefined : new Uint8Array();
  }

  /** The chunks of a value. @throws SseError `INVALID_EVENT`, `EVENT_TOO_LARGE` */
  take(value: unknown): readonly RunChunk[] {
    if (typeof value === 'string' && (this.format.bytesAs ?? 'text') === 'text') {
      return this.chunksOfString(value);
    }
    return this.half === '' ? this.taken(value) : [...this.restOfString(), ...this.taken(value)];
  }

  private taken(value: unknown): readonly RunChunk[] {
    const bytes = bytesOf(value);
    if (bytes) {
      return this.bytesAs === 'frames' ? this.chunksOfFrames(bytes) : this.chunksOfBytes(bytes);
    }
    if (typeof value === 'string' && this.format.bytesAs === 'frames') {
      return this.chunksOfFrames(ENCODER.encode(value));
    }
    return this.chunksOf(value);
  }

  /** The chunks that are left when the source has ended. */
  rest(): readonly RunChunk[] {
    const text = this.decoder.decode();
    if (this.beginning?.length) {
      throw noFrames();
    }
    const chunks =
      this.bytesAs === 'lines' ? this.chunksOfLine(this.line + text) : this.chunksOfText(text);
    return [...this.restOfString(), ...chunks];
  }

  private chunksOf(value: unknown): readonly RunChunk[] {
    return this.format.chunks(value);
  }

  /** Keeps the first half of a character for the next string: alone, neither half can be sent. */
  private chunksOfString(value: string): readonly RunChunk[] {
    const text = this.half + value;
    const isCut = isHalf(text.charCodeAt(text.length - 1));
    this.half = isCut ? text.slice(-1) : '';
    const whole = isCut ? text.slice(0, -1) : text;
    return isCut && whole === '' ? [] : this.chunksOf(whole);
  }

  private restOfString(): readonly RunChunk[] {
    const { half } = this;
    this.half = '';
    return this.chunksOfText(half);
  }

  private chunksOfBytes(bytes: Uint8Array): readonly RunChunk[] {
    const text = this.decoder.decode(bytes, { stream: true });
    if (this.bytesAs === 'text') {
      return this.chunksOfText(text);
    }
    const lines = (this.line + text).split('\n');
    this.line = lines.pop()!;
    this.checkSize(this.line.length, 'line');
    return lines.flatMap((line) => this.chunksOfLine(line));
  }

  private chunksOfText(text: string): readonly RunChunk[] {
    return text === '' ? [] : this.chunksOf(text);
  }

  private chunksOfLine(line: string): readonly RunChunk[] {
    return line.trim() === '' ? [] : this.chunksOfJson(line.trim());
  }

  /** Checks what the text means, and keeps the text: numbers may have more digits than JavaScript knows. */
  private chunksOfJson(text: string): readonly RunChunk[] {
    return this.chunksOf(jsonIn(text)).map((chunk) => ({ ...chunk, data: text }));
  }

  private chunksOfFrames(bytes: Uint8Array): readonly RunChunk[] {
    if (this.beginning) {
      this.checkBeginning(Buffer.concat([this.beginning, bytes]));
    }
    this.parser ??= new SseFrameParser((frame) => this.frames.push(frame));
    this.parser.push(bytes);
    const frames = this.frames.splice(0);
    this.unread = frames.length > 0 ? 0 : this.unread + bytes.length;
    this.checkSize(this.unread, 'frame');
    // Frames without data are no events, and the end of a run has a chunk of its own.
    const events = frames.filter(({ data }) => data !== undefined && data !== '[DONE]');
    return events.flatMap((event) => this.chunksOfEvent(event));
  }

  private chunksOfEvent({ type, data = '' }: SseFrame): readonly RunChunk[] {
    const { bytesAs } = this.format;
    if (bytesAs === 'lines' || bytesAs === 'frames') {
      return this.chunksOfJson(data);
    }
    return this.chunksOf(type === undefined || bytesAs === 'text' ? data : { data, type });
  }

  /** Refuses what is no frame as soon as it shows: a parser would ignore all of it. */
  private checkBeginning(bytes: Uint8Array): void {
    // It leaves out a byte order mark, and what of one has come.
    const text = new TextDecoder().decode(bytes, { stream: true });
    if (/^(\s|(data|event|id|retry)?:)/.test(text)) {
      this.beginning = undefined;
    } else if (FIELDS.some((field) => field.startsWith(text))) {
      this.beginning = bytes;
    } else {
      throw noFrames();
    }
  }

  private checkSize(bytes: number, of: string): void {
    if (bytes > this.mostBytes) {
      throw new SseError(
        'EVENT_TOO_LARGE',
        `A ${of} of a run's source is larger than ${this.mostBytes} bytes. Raise \`limits.eventSize\`, or send less at once.`,
      );
    }
  }
}

const ENCODER = new TextEncoder();
/** With what a line of a frame begins. */
const FIELDS = ['data:', 'event:', 'id:', 'retry:'];

/** The bytes of a buffer, or of what shows a part of one. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return types.isAnyArrayBuffer(value) ? new Uint8Array(value) : undefined;
}

/** Whether a unit of UTF-16 is the first half of a character. */
function isHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function noFrames(): SseError {
  return new SseError(
    'INVALID_EVENT',
    "The source of a run gave text, and the run's format has no text of its own. Give the chunks as " +
      'objects: of the AI SDK, `result.toUIMessageStream()`. For `result.textStream` and ' +
      "`toTextStreamResponse()`, set `format: 'text'`.",
  );
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new SseError(
      'INVALID_EVENT',
      "The source of a run gave text that is no JSON, and the run's format needs JSON: in bytes a value on each " +
        "line, in an event stream a value in each event. For anything else, set `format: 'text'`.",
      { cause },
    );
  }
}
