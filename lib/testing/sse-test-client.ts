import type { IncomingMessage } from 'node:http';
import { ConditionWaits } from './condition-waits.js';
import { SseFrameParser, type SseFrame } from './sse-frame-parser.js';
import {
  addressOf,
  sendRequest,
  type SseTestApplication,
  type SseTestClientOptions,
} from './sse-test-request.js';

/** What a browser's `EventSource` would hand to its listeners. */
export interface SseTestEvent {
  /** The event's name; `message` when the server gave none. */
  readonly type: string;
  /** The event's text. */
  readonly data: string;
  /** The last event id at this event, a browser's `lastEventId`. Empty when there was none so far. */
  readonly id: string;
  /** The frame that the event came in, with its raw text. */
  readonly frame: SseFrame;
}

/** The head of the server's answer. */
export interface SseTestHead {
  /** The HTTP status. */
  readonly status: number;
  /** The headers, with names in lower case. */
  readonly headers: IncomingMessage['headers'];
}

/** How a stream ended. */
export interface SseTestEnd {
  /** `client` after `close()`, `server` after an orderly end, `error` when the connection broke. */
  readonly by: 'client' | 'server' | 'error';
  /** Why the connection broke. */
  readonly error?: Error;
}

/** How long {@link SseTestClient} waits for events. */
export interface SseTestWait {
  /** Milliseconds until the wait fails. Default 10,000. */
  deadline?: number;
}

/**
 * A client of Server-Sent Events for tests. It records everything the server sends, and waits for
 * events with a deadline, so that a test never sleeps.
 *
 * @example
 * const client = await SseTestClient.connect(app, '/users/events');
 * await sse.send('users', { id: 1 });
 * expect(await client.next()).toMatchObject({ data: '{"id":1}' });
 * await client.close();
 */
export class SseTestClient {
  /** Every event so far, in order. */
  readonly events: SseTestEvent[] = [];
  /** Every frame so far, also those without data, in order. */
  readonly frames: SseFrame[] = [];
  /** Every comment so far, heartbeats included, in order. */
  readonly comments: string[] = [];
  /** The last event id, as a browser would send it when it reconnects. Empty when there is none. */
  lastEventId: string;
  /** The last reconnection time in milliseconds that the server asked for. Unset when it did not. */
  retry: number | undefined;
  /** The body of an answer that is not an event stream, such as an error's JSON. Empty otherwise. */
  body = '';
  /** The head of the server's answer. */
  readonly opened: SseTestHead;
  /** Resolves when the stream has ended, however it did; it never rejects. */
  readonly closed: Promise<SseTestEnd>;

  /** How many of `events` were returned or passed over. */
  private taken = 0;
  private ended: SseTestEnd | undefined;
  private resolveClosed!: (end: SseTestEnd) => void;
  private readonly waits = new ConditionWaits();

  private constructor(
    /** The address of the request. */
    readonly url: URL,
    private readonly options: SseTestClientOptions,
    private readonly response: IncomingMessage,
  ) {
    this.lastEventId = options.lastEventId ?? '';
    this.opened = { status: response.statusCode ?? 0, headers: response.headers };
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));

    const isStream = /^text\/event-stream\b/i.test(response.headers['content-type'] ?? '');
    const parser = new SseFrameParser((frame) => this.record(frame));
    const decoder = new TextDecoder();
    response.on('data', (chunk: Buffer) => {
      if (isStream) parser.push(chunk);
      else this.body += decoder.decode(chunk, { stream: true });
      this.waits.wake();
    });
    response.once('end', () => this.end({ by: 'server' }));
    response.on('error', (error) => this.end({ by: 'error', error }));
  }

  /**
   * Sends the request and resolves with the client as soon as the server's head is there, whatever
   * its status is: see {@link opened}.
   *
   * @throws Error when the connection fails, or there is no head before the deadline.
   */
  static connect(url: string | URL, options?: SseTestClientOptions): Promise<SseTestClient>;
  /**
   * The same on a Nest application, which is made to listen on a free loopback port if it does
   * not listen yet. Closing the application stays the test's task.
   */
  static connect(
    app: SseTestApplication,
    path: string,
    options?: SseTestClientOptions,
  ): Promise<SseTestClient>;
  static async connect(
    target: string | URL | SseTestApplication,
    pathOrOptions?: string | SseTestClientOptions,
    more: SseTestClientOptions = {},
  ): Promise<SseTestClient> {
    const onApplication = typeof pathOrOptions === 'string';
    const url = onApplication
      ? new URL(pathOrOptions, await addressOf(target as SseTestApplication))
      : new URL(target as string | URL);
    const options = onApplication ? more : (pathOrOptions ?? {});
    return new SseTestClient(url, options, await sendRequest(url, options));
  }

  /** True until the stream has ended. */
  get isOpen(): boolean {
    return this.ended === undefined;
  }

  /**
   * The next event that no `next`, `take` or `until` has returned yet. With `type`, events of other
   * types are passed over.
   *
   * @throws Error when the stream ends before, or the deadline passes.
   */
  next(options: SseTestWait & { type?: string } = {}): Promise<SseTestEvent> {
    const { type, deadline } = options;
    if (type === undefined) return this.first(() => true, deadline, 'an event');
    return this.first((event) => event.type === type, deadline, `an event of type "${type}"`);
  }

  /**
   * The next `count` events that were not returned yet.
   *
   * @throws Error when the stream ends before, or the deadline passes; none are taken then.
   */
  async take(count: number, options: SseTestWait = {}): Promise<SseTestEvent[]> {
    const from = this.taken;
    await this.waits.until(
      () => this.events.length >= from + count,
      options.deadline ?? 10_000,
      () => `${count} events, of which ${this.events.length - from} came. ${this.describe()}`,
    );
    this.taken = from + count;
    return this.events.slice(from, this.taken);
  }

  /**
   * The first event for which the predicate holds, among those that were not returned yet; the
   * ones before it are passed over.
   *
   * @throws Error when the stream ends before, or the deadline passes.
   */
  until(
    predicate: (event: SseTestEvent) => boolean,
    options: SseTestWait = {},
  ): Promise<SseTestEvent> {
    return this.first(predicate, options.deadline, `an event for which ${String(predicate)}`);
  }

  /** Connects again with the same request and the last event id, as a browser does by itself. */
  reconnect(options: SseTestClientOptions = {}): Promise<SseTestClient> {
    const last = this.lastEventId === '' ? {} : { lastEventId: this.lastEventId };
    return SseTestClient.connect(this.url, { ...this.options, ...last, ...options });
  }

  /** Stops reading from the socket, as a client does that is too slow. */
  pause(): void {
    this.response.pause();
  }

  /** Reads on after {@link pause}. */
  resume(): void {
    this.response.resume();
  }

  /** Ends the connection from the client's side, as closing a browser's tab does. */
  async close(): Promise<void> {
    this.end({ by: 'client' });
    this.response.destroy();
    await this.closed;
  }

  private async first(
    predicate: (event: SseTestEvent) => boolean,
    deadline = 10_000,
    what: string,
  ): Promise<SseTestEvent> {
    let found: SseTestEvent | undefined;
    const look = () => {
      while (found === undefined && this.taken < this.events.length) {
        const event = this.events[this.taken++] as SseTestEvent;
        if (predicate(event)) found = event;
      }
      return found !== undefined;
    };
    await this.waits.until(look, deadline, () => `${what}. ${this.describe()}`);
    return found as unknown as SseTestEvent;
  }

  private record(frame: SseFrame): void {
    this.frames.push(frame);
    this.comments.push(...frame.comments);
    if (frame.retry !== undefined) this.retry = frame.retry;
    if (frame.id !== undefined) this.lastEventId = frame.id;
    if (frame.data === undefined) return;
    const { data, type } = frame;
    this.events.push({ type: type || 'message', data, id: this.lastEventId, frame });
  }

  private end(how: SseTestEnd): void {
    if (this.ended) return;
    this.ended = how;
    this.resolveClosed(how);
    this.waits.end();
  }

  private describe(): string {
    const last = this.events.slice(-3).map(({ type, id, data }) => {
      return `${type} #${id} ${data.length > 80 ? `${data.slice(0, 80)}…` : data}`;
    });
    const how = this.ended ? `ended by ${this.ended.by}` : 'open';
    const text = `Status ${this.opened.status}, ${how}, ${this.events.length} events received`;
    return last.length === 0 ? `${text}.` : `${text}, the last: ${last.join(' | ')}`;
  }
}
