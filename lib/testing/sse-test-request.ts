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
   * The most milliseconds until the server's head, and again until the first frame of a stream.
   * Default 10,000.
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
  // Node sends no length with GET, and the server would read the body as another request. The body
  // is bytes, since Node would encode the headers like a text.
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
      // From here on a broken connection ends the stream; the request has not failed.
      request.on('error', () => undefined);
      resolve(response);
    });
    request.end(body);
  });
}

/** The URL without secrets: user, password and the values of parameters. */
export function shownUrl({ origin, pathname, searchParams }: URL): string {
  const names = [...searchParams.keys()].map((name) => `${name}=…`);
  return `${origin}${pathname}${names.length > 0 ? `?${names.join('&')}` : ''}`;
}

/** Applications that clients have made listen: several of them may connect at once. */
const listening = new WeakMap<SseTestApplication, Promise<unknown>>();

/** The application's address. Makes the application listen on a free loopback port if needed. */
export async function addressOf(app: SseTestApplication): Promise<string> {
  const server = app.getHttpServer() as Server;
  if (!server.listening) {
    const begun = listening.get(app) ?? app.listen(0, '127.0.0.1');
    listening.set(app, begun);
    await begun.finally(() => listening.delete(app));
  }
  const { port } = server.address() as AddressInfo;
  return `${'setSecureContext' in server ? 'https' : 'http'}://127.0.0.1:${port}`;
}
