import type { IncomingMessage } from 'node:http';
import { ConditionWaits } from './condition-waits.js';
import { SseFrameParser, type SseFrame } from './sse-frame-parser.js';
import type { SseTestEnd, SseTestEvent, SseTestHead, SseTestWait } from './sse-test-event.js';
import {
  addressOf,
  sendRequest,
  shownUrl,
  type SseTestApplication,
  type SseTestClientOptions,
} from './sse-test-request.js';

/** The name of the event that tells a client its position. */
const OPEN_TYPE = 'sse:open';

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
  /** Every event so far, in order, without `sse:open`: see {@link opening}. */
  readonly events: SseTestEvent[] = [];
  /** Every frame so far, also those without data, in order. */
  readonly frames: SseFrame[] = [];
  /** Every comment so far, heartbeats included, in order. */
  readonly comments: string[] = [];
  /** The event `sse:open`, which tells the client its position. Unset when there was none. */
  opening: SseTestEvent | undefined;
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

  /** How many of `events` were returned or skipped. */
  private taken = 0;
  private readonly isStream: boolean;
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

    this.isStream = /^text\/event-stream\b/i.test(response.headers['content-type'] ?? '');
    const parser = new SseFrameParser(
      (frame) => this.record(frame),
      (comment) => this.comments.push(comment),
    );
    const decoder = new TextDecoder();
    response.on('data', (chunk: Buffer) => {
      if (this.isStream) parser.push(chunk);
      else this.body += decoder.decode(chunk, { stream: true });
      this.waits.wake();
    });
    response.once('end', () => this.end({ by: 'server' }));
    response.on('error', (error) => this.end({ by: 'error', error }));
  }

  /**
   * Sends the request and resolves with the client once its stream has begun: its first frame is
   * there, which tells the client its position. An answer that is no stream resolves once it is
   * whole, whatever its status is: see {@link opened} and {@link body}.
   *
   * @throws Error when the connection fails, or the deadline passes before the head, the first frame
   * of a stream, or the end of another answer.
   */
  static connect(url: string | URL, options?: SseTestClientOptions): Promise<SseTestClient>;
  /**
   * The same on a Nest application. If the application does not listen yet, this makes it listen on
   * a free loopback port. The test has to close the application.
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
    const client = new SseTestClient(url, options, await sendRequest(url, options));
    if (options.awaitOpening !== false) await client.begun(options.deadline);
    return client;
  }

  /** True until the stream has ended. */
  get isOpen(): boolean {
    return this.ended === undefined;
  }

  /**
   * The next event that no `next`, `take` or `until` has returned yet. With `type` it skips events
   * of other types; it returns `sse:open` only for that type.
   *
   * @throws Error when the stream ends before, or the deadline passes.
   */
  next(options: SseTestWait & { type?: string } = {}): Promise<SseTestEvent> {
    const { type, deadline } = options;
    if (type === undefined) return this.first(() => true, deadline, 'an event');
    if (type === OPEN_TYPE) return this.openingWithin(deadline);
    return this.first((event) => event.type === type, deadline, `an event of type "${type}"`);
  }

  /**
   * The next `count` events that were not returned yet.
   *
   * @throws Error when the stream ends before, or the deadline passes; then it takes none.
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
   * The first event for which the predicate holds, among those that were not returned yet. It skips
   * the events before.
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

  /** Stops reading from the socket, as a slow client does. */
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

  private async openingWithin(deadline = 10_000): Promise<SseTestEvent> {
    const has = () => this.opening !== undefined;
    await this.waits.until(has, deadline, () => `an event of type "${OPEN_TYPE}"`);
    return this.opening!;
  }

  private async begun(deadline = 10_000): Promise<void> {
    try {
      await this.waits.until(
        () => (this.isStream && this.frames.length > 0) || !this.isOpen,
        deadline,
        () =>
          this.isStream
            ? `the first frame of ${shownUrl(this.url)}. Set \`awaitOpening: false\` for a server that ` +
              'sends nothing before its first event.'
            : `the end of the answer of ${shownUrl(this.url)}, which is no event stream. ${this.describe()}`,
      );
    } catch (error) {
      await this.close();
      throw error;
    }
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
    if (frame.retry !== undefined) this.retry = frame.retry;
    if (frame.id !== undefined) this.lastEventId = frame.id;
    if (frame.data === undefined) return;
    const { data, type } = frame;
    const event = { type: type || 'message', data, id: this.lastEventId, frame };
    if (type === OPEN_TYPE) this.opening = event;
    else this.events.push(event);
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
