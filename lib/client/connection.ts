import { SseClientError } from './client-error.js';
import type { ClientFetch, ConnectionOptions } from './connection-options.js';
import { EventStreamParser, type Frame } from './event-stream-parser.js';
import { requestFor, type ChannelState } from './request.js';

/** How a connection ended: by a status that is no stream, by an error, or in order. */
export interface ConnectionEnd {
  /** The status of an answer that was no stream. */
  readonly status?: number;
  readonly error?: SseClientError;
  /** Whether another attempt would end alike. */
  readonly isFinal?: boolean;
  /** What the server's `Retry-After` says, in milliseconds. */
  readonly after?: number;
}

const SILENCE_MS = 45_000;

/** One request, and the stream that answers it. */
export class Connection {
  /** The names of the channels that it was asked for. */
  readonly asked: readonly string[];
  /** The channels that it brings, or is to bring, by name. */
  readonly live: Map<string, ChannelState>;
  /** The channel behind each label of the stream's ids. */
  labels: Readonly<Record<string, string>> = {};
  /** The positions that the connection before it has delivered since this one was asked for. */
  private readonly seen = new Map<string, string[]>();
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
    this.live = new Map(channels.map((one) => [one.name, one]));
    this.asked = [...this.live.keys()];
    this.heard();
    // They go on while the headers are asked for.
    this.run(requestFor(url, channels)).then(
      (end) => this.end(end),
      (error: unknown) => this.end({ error: new SseClientError(String(error), undefined, error) }),
    );
  }

  /** The reconnection time that the server told on this connection. */
  get retry(): number | undefined {
    return this.parser.retry;
  }

  /** Notes what the connection before it has delivered. */
  note(channel: string, position: string): void {
    const seen = this.seen.get(channel);
    if (seen) seen.push(position);
    else this.seen.set(channel, [position]);
  }

  /** Whether the connection before it has delivered this event. */
  isRepeat(channel: string, position: string): boolean {
    const seen = this.seen.get(channel);
    const at = seen ? seen.indexOf(position) : -1;
    // Both have one order. What is not among the noted ones comes after them.
    if (at < 0) this.seen.delete(channel);
    else seen!.splice(0, at + 1);
    return at >= 0;
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
      const error = new SseClientError(`Nothing came for ${silence} ms.`);
      this.timer = setTimeout(() => this.end({ error }), silence);
    }
  }

  private async run({ url, body }: ReturnType<typeof requestFor>): Promise<ConnectionEnd> {
    const { options } = this;
    const headers: Record<string, string> = {
      accept: 'text/event-stream',
      ...(await given(options.headers)),
    };
    const token = await given(options.token);
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
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
    if (status !== 200) {
      const after = response.headers.get('retry-after');
      return { status, ...(after && { after: +after * 1_000 || Date.parse(after) - Date.now() }) };
    }
    const type = response.headers.get('content-type');
    if (!type?.startsWith('text/event-stream')) {
      return { error: new SseClientError(`The answer is no event stream: ${type}.`, status) };
    }
    if (!response.body) {
      const text = 'This fetch() reads no streams. Give the option `fetch` one that does.';
      return { error: new SseClientError(text), isFinal: true };
    }
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.isOver) return {};
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
