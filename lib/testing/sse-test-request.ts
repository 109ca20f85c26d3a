import { request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

/** Options of `SseTestClient.connect`. */
export interface SseTestClientOptions {
  /** Request headers. `Accept: text/event-stream` is set unless it is among them. */
  headers?: Record<string, string | string[]>;
  /** Sent as `Last-Event-ID`, in UTF-8 as browsers send it. Unset: no such header. */
  lastEventId?: string;
  /** The HTTP method. Default `GET`. */
  method?: string;
  /** The request's body. Default: none. */
  body?: string | Uint8Array;
  /**
   * Milliseconds until the server's head must be there, and once more as many until the first
   * frame of a stream must be. Default 10,000.
   */
  deadline?: number;
  /**
   * Whether to wait for the first frame of a stream, which tells the client its position, and for
   * the end of another answer. Set it to `false` for a server that sends nothing before its first
   * event. Default `true`.
   */
  awaitOpening?: boolean;
  /** More options for `node:http` or `node:https`, such as `ca` or `localAddress`. */
  request?: RequestOptions;
}

/** The part of a Nest application that the client needs. */
export interface SseTestApplication {
  /** The server the application answers with. */
  getHttpServer(): unknown;
  /** Makes the application listen. */
  listen(port: number, hostname: string): Promise<unknown>;
}

/** Sends the request and resolves with the response as soon as its head is there. */
export function sendRequest(url: URL, options: SseTestClientOptions): Promise<IncomingMessage> {
  const { lastEventId, method = 'GET', deadline = 10_000 } = options;
  const headers: Record<string, string | string[]> = {
    accept: 'text/event-stream',
    ...options.headers,
  };
  if (lastEventId !== undefined) {
    headers['last-event-id'] = Buffer.from(lastEventId, 'utf8').toString('latin1');
  }
  // Node leaves the length out on GET, and the server would take the body for another request.
  // As bytes, because Node would encode the headers like a text that follows them.
  const body = options.body === undefined ? undefined : Buffer.from(options.body);
  if (body) headers['content-length'] = String(body.length);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    // Without an agent every client has a connection of its own, which ends with it.
    const request = send(url, { agent: false, ...options.request, method, headers });
    const timer = setTimeout(() => {
      request.destroy(new Error(`No head from ${method} ${shownUrl(url)} within ${deadline} ms.`));
    }, deadline);
    request.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.once('response', (response) => {
      clearTimeout(timer);
      // From here on a broken connection is an end of the stream, not a failed request.
      request.on('error', () => undefined);
      resolve(response);
    });
    request.end(body);
  });
}

/** The URL without what logs in: user, password and the values of parameters. */
export function shownUrl({ origin, pathname, searchParams }: URL): string {
  const names = [...searchParams.keys()].map((name) => `${name}=…`);
  return `${origin}${pathname}${names.length > 0 ? `?${names.join('&')}` : ''}`;
}

/** The application's address. Makes it listen on a free loopback port if it does not listen yet. */
export async function addressOf(app: SseTestApplication): Promise<string> {
  const server = app.getHttpServer() as Server;
  if (!server.listening) await app.listen(0, '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  return `${'setSecureContext' in server ? 'https' : 'http'}://127.0.0.1:${port}`;
}
