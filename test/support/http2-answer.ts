import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import { SseFrameParser, type SseFrame } from '../../lib/testing/sse-frame-parser.js';

/** A request over HTTP/2, and what its client sees of the answer. */
export class Http2Answer {
  readonly frames: SseFrame[] = [];
  headers: OutgoingHttpHeaders = {};
  /** How the stream has ended: 0 as a whole answer, else the code of its reset. */
  code: number | undefined;
  /** Whether the end of the answer has come. */
  hasEnded = false;
  private isRead = false;
  private readonly stream;

  constructor(
    session: ClientHttp2Session,
    headers: OutgoingHttpHeaders,
    { isRead = true }: { readonly isRead?: boolean } = {},
  ) {
    this.stream = session.request(headers);
    this.stream.on('response', (answered) => (this.headers = answered));
    this.stream.on('end', () => (this.hasEnded = true));
    this.stream.on('error', () => undefined);
    this.stream.on('close', () => (this.code = this.stream.rstCode));
    this.stream.end();
    if (isRead) {
      this.read();
    }
  }

  get data(): readonly (string | undefined)[] {
    return this.frames.flatMap(({ type, data }) => (type === 'sse:open' ? [] : (data ?? [])));
  }

  get status(): unknown {
    return this.headers[':status'];
  }

  /** Reads what has come, and what comes. */
  read(): void {
    if (!this.isRead) {
      this.isRead = true;
      const parser = new SseFrameParser((frame) => this.frames.push(frame));
      this.stream.on('data', (bytes: Buffer) => parser.push(bytes));
    }
  }

  leave(): void {
    this.stream.close();
  }
}
