import type { ClientFetch, ConnectionOptions } from './connection-options.js';
import { EventStreamParser, type Frame } from './event-stream-parser.js';
import type { ConnectionEnd } from './connection-end.js';
import { LiveChannels } from './live-channels.js';
import { requestFor, type ChannelState } from './request.js';

const SILENCE_MS = 45_000;
const CUT = 'The stream has ended inside an event.';

/** One request, and the stream that answers it. */
export class Connection extends LiveChannels {
  private isOver = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly abort = new AbortController();
  private readonly parser = new EventStreamParser((frame) => {
    if (!this.isOver) this.onFrame(this, frame);
  });

  constructor(
    url: string,
    channels: readonly ChannelState[],
    private readonly options: ConnectionOptions,
    private readonly onFrame: (from: Connection, frame: Frame) => void,
    private readonly onEnd: (from: Connection, end: ConnectionEnd) => void,
  ) {
    super(channels);
    this.heard();
    // They go on while the headers are asked for.
    this.run(requestFor(url, channels)).then(
      (end) => this.end(end),
      (cause: unknown) => this.end({ text: String(cause), cause }),
    );
  }

  /** The reconnection time that the server told on this connection. */
  get retry(): number | undefined {
    return this.parser.retry;
  }

  /** Ends it without a word. */
  close(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    this.abort.abort();
  }

  /** Ends it, and tells so, once. */
  end(end: ConnectionEnd): void {
    if (this.isOver) return;
    this.close();
    this.onEnd(this, end);
  }

  /** Begins the time of silence anew. */
  private heard(): void {
    const silence = this.options.silence ?? SILENCE_MS;
    clearTimeout(this.timer);
    if (silence > 0 && !this.isOver) {
      const end = { text: `Nothing came for ${silence} ms.` };
      this.timer = setTimeout(() => this.end(end), silence);
    }
  }

  private async run({ url, body }: ReturnType<typeof requestFor>): Promise<ConnectionEnd> {
    const { options } = this;
    const headers: Record<string, string> = {
      accept: 'text/event-stream',
      ...(await given(options.headers)),
    };
    const token = await given(options.token);
    if (token) headers['authorization'] = `Bearer ${token}`;
    if (body) headers['content-type'] = 'application/json';
    if (this.isOver) return {};
    const response = await (options.fetch ?? (fetch as ClientFetch))(url, {
      method: body ? 'POST' : 'GET',
      headers,
      cache: 'no-store',
      signal: this.abort.signal,
      ...(body && { body }),
      ...(options.credentials && { credentials: options.credentials }),
    });
    const { status } = response;
    this.heard();
    // An endpoint that takes a POST may have another status than 200.
    if (status < 200 || status > 203) {
      const after = response.headers.get('retry-after');
      return { status, ...(after && { after: +after * 1_000 || Date.parse(after) - Date.now() }) };
    }
    const type = response.headers.get('content-type');
    if (!/^text\/event-stream\s*(;|$)/i.test(type ?? '')) {
      return { status, text: `The answer is no event stream: ${type}.` };
    }
    if (!response.body) {
      const text = 'The option `fetch` must read streams.';
      return { text, isFinal: true };
    }
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.isOver) return this.parser.isCut() ? { text: CUT } : {};
      this.heard();
      if (value) this.parser.push(value);
    }
  }
}

function given<T>(
  value: T | (() => T | PromiseLike<T>) | undefined,
): T | PromiseLike<T> | undefined {
  return typeof value === 'function' ? (value as () => T | PromiseLike<T>)() : value;
}
