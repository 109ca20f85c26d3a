import type { IncomingMessage } from 'node:http';
import type { SseFrame } from './sse-frame-parser.js';

/** An event as a browser's `EventSource` passes it to its listeners. */
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
