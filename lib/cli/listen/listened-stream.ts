import { monotonicNow } from '../../channel/clock.js';
import {
  Connection,
  meaningOf,
  ReturnTimes,
  type ClientRequest,
  type ClientResponse,
  type ConnectionEnd,
  type Frame,
} from '../client-parts.js';
import { failureOf } from '../http-failure.js';
import { BoundedStream } from './bounded-stream.js';
import { requestStream } from './http-request.js';
import type { ListenedEvent } from './listened-event.js';
import type { ListenSettings } from './listen.options.js';
import { delayOf, Positions } from './positions.js';
import { refusalText } from './refusal-text.js';

/** A stream that ends within this time and brings nothing was none: the server had no room. Milliseconds. */
const STEADY_MS = 1_000;

/** How a stream ended for good. */
export interface StreamEnd {
  readonly isGood: boolean;
  readonly text: string;
}

/** Who hears of a stream. */
export interface StreamSink {
  event(event: ListenedEvent): void;
  /** The server has answered with a stream. @param after the id after which it goes on; empty at the beginning */
  connected(after: string): void;
  /** The stream has brought something. @param isReturn whether it is not the first to do so */
  opened(isReturn: boolean): void;
  /** The module has told which channels these are. */
  channels(names: readonly string[]): void;
  /** Another attempt follows. */
  waiting(milliseconds: number, why: string): void;
  end(end: StreamEnd): void;
}

/** One stream, whole, as an EventSource reads it; it returns by itself, and where EventSource gives up. */
export class ListenedStream {
  private readonly positions: Positions;
  private readonly times = new ReturnTimes();
  private connection: Connection | undefined;
  private waiting: NodeJS.Timeout | undefined;
  private isOpen = false;
  private wasOpen = false;
  /** Whether the last event ended the run. */
  private isDone = false;
  /** Why the server is about to end the stream, if it has said so. */
  private reason: string | undefined;
  /** What the server says beside a status that is no stream. */
  private refusal = '';
  private readonly body = new BoundedStream((text) =>
    // It would come again.
    this.connection?.end({ text, isFinal: true }),
  );
  /** When the server answered with a stream; `undefined` until it does. */
  private connectedAt: number | undefined;

  constructor(
    private readonly settings: ListenSettings,
    private readonly sink: StreamSink,
  ) {
    this.positions = new Positions(settings.lastEventId);
  }

  start(): void {
    this.connectedAt = undefined;
    this.isOpen = this.isDone = false;
    this.refusal = '';
    this.body.ended();
    const { headers, silence } = this.settings;
    const options = {
      headers,
      silence,
      fetch: (_url: string, request: ClientRequest) => this.request(request),
    };
    this.connection = new Connection('', [], options, this.onFrame, this.onEnd);
  }

  /** Ends it without a word. */
  stop(): void {
    clearTimeout(this.waiting);
    this.connection?.close();
  }

  private async request({ headers, signal }: ClientRequest): Promise<ClientResponse> {
    const { url, method, body } = this.settings;
    const after = this.positions.lastEventId;
    const response = await requestStream(url, {
      method,
      // A header carries bytes.
      headers: {
        ...headers,
        ...(after && { 'last-event-id': Buffer.from(after).toString('latin1') }),
      },
      body,
      signal,
    }).catch((error: unknown) => {
      throw failureOf(error);
    });
    const isGood = response.status >= 200 && response.status < 300;
    if (isGood && isEventStream(response.headers.get('content-type'))) {
      this.connectedAt = monotonicNow();
      this.sink.connected(after);
    }
    if (!isGood) {
      this.refusal = await refusalText(response, url);
    }
    return this.body.of(response);
  }

  private readonly onFrame = (from: Connection, { type, data, id }: Frame): void => {
    this.body.ended();
    if (!this.isOpen && (data !== undefined || id !== undefined)) {
      this.sink.opened(this.wasOpen);
      this.isOpen = this.wasOpen = true;
      this.reason = undefined;
      this.times.opened(from.retry);
    }
    if (type === 'sse:open' || type === 'sse:channels') {
      const { labels, channels } = objectOf(data);
      this.positions.begin(labels, id);
      this.sink.channels(Array.isArray(channels) ? channels.map(String) : []);
      return;
    }
    const place = id === undefined ? undefined : this.positions.take(id);
    if (data === undefined) {
      return;
    }
    if (id !== undefined) {
      this.times.reset();
    }
    this.isDone = type === '' && data === '[DONE]';
    if (type === 'sse:end') {
      this.reason = String(objectOf(data)['reason'] ?? 'unknown');
    }
    const at = Date.now();
    const named = type === 'sse:reset' ? objectOf(data)['channel'] : undefined;
    this.sink.event({
      at,
      type: type || 'message',
      data,
      id,
      position: place?.position,
      channel: place?.channel ?? (typeof named === 'string' ? named : undefined),
      delay: delayOf(place?.position, at),
    });
  };

  private readonly onEnd = (from: Connection, end: ConnectionEnd): void => {
    // A server without anything to tell may be silent for long.
    const isSteady = monotonicNow() - (this.connectedAt ?? Infinity) > STEADY_MS;
    const isOpen = this.isOpen || isSteady;
    this.wasOpen ||= isOpen;
    if (isOpen) {
      this.times.ended();
    }
    const { how, error } = meaningOf(end, this.reason, isOpen);
    const why = error?.message ?? 'The connection has ended.';
    const text = this.refusal && error ? `${why} ${this.refusal}` : why;
    if (how !== undefined) {
      const isEnd = how === 'onEnd';
      this.sink.end({ isGood: isEnd, text: isEnd ? 'The stream has ended.' : text });
    } else if (this.isDone && error === undefined) {
      this.sink.end({ isGood: true, text: 'The stream has ended.' });
    } else if (!this.settings.reconnect) {
      this.sink.end({ isGood: isOpen && error === undefined, text });
    } else if (!this.wasOpen && !this.settings.wait) {
      this.sink.end({ isGood: false, text: `${text} With --wait it tries again.` });
    } else {
      const wait = this.times.next(from.retry, end.after);
      this.waiting = setTimeout(() => this.start(), wait);
      this.sink.waiting(wait, text);
    }
  };
}

function isEventStream(type: string | null): boolean {
  return /^text\/event-stream\s*(;|$)/i.test(type ?? '');
}

/** The fields of data in JSON; none for anything else. */
function objectOf(data: string | undefined): Record<string, unknown> {
  try {
    return Object(JSON.parse(data ?? '')) as Record<string, unknown>;
  } catch {
    return {};
  }
}
