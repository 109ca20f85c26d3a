import { request as overHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as overHttps } from 'node:https';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ClientResponse } from '../client-parts.js';

/** As many as `fetch()` follows. */
const MOST_REDIRECTS = 20;
/** What a redirect to another origin must not carry along. */
const OF_ORIGIN = new Set(['authorization', 'cookie', 'host', 'proxy-authorization']);
/** How each coding that we ask for, or servers send all the same, is undone. */
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** A request for a stream. */
export interface StreamRequest {
  readonly method: string;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes a request as `fetch()` does, but for one thing: the body fails where a compressed answer ends before
 * its compressed data does. Node's `fetch()` takes that for the end, and has no option.
 *
 * @throws Error `AbortError`, and those whose `cause` says why there is no answer
 */
export async function requestStream(
  url: string,
  given: StreamRequest,
  redirects = MOST_REDIRECTS,
): Promise<ClientResponse> {
  const headers = {
    'accept-encoding': 'gzip, br',
    'cache-control': 'no-cache',
    'user-agent': 'nestjs-sse-channels',
    ...given.headers,
  };
  const answer = await answerOf(url, { ...given, headers });
  const { statusCode: status = 0 } = answer;
  const { location } = answer.headers;
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) {
    return {
      status,
      headers: { get: (name) => [answer.headers[name] ?? []].flat().join(', ') || null },
      body: { getReader: () => readerOf(decoded(answer)) },
    };
  }
  answer.destroy();
  if (redirects === 0) {
    throw new Error('', { cause: new Error(`There are more than ${MOST_REDIRECTS} redirects`) });
  }
  if (!URL.canParse(location, url) || !/^https?:$/.test(new URL(location, url).protocol)) {
    throw new Error('', { cause: new Error('A redirect leads to no URL of http or https') });
  }
  return requestStream(
    new URL(location, url).href,
    redirected(url, location, status, given),
    redirects - 1,
  );
}

/** The request that follows a redirect. */
function redirected(
  url: string,
  location: string,
  status: number,
  { method, headers, body, signal }: StreamRequest,
): StreamRequest {
  const isSame = new URL(location, url).origin === new URL(url).origin;
  const isRead = status === 303 ? method !== 'HEAD' : status < 303 && method === 'POST';
  const left = (name: string): boolean =>
    (isSame || !OF_ORIGIN.has(name)) && (!isRead || !name.startsWith('content-'));
  return {
    method: isRead ? 'GET' : method,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => left(name))),
    body: isRead ? undefined : body,
    signal,
  };
}

function answerOf(
  url: string,
  { method, headers, body, signal }: StreamRequest,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      method,
      headers: {
        ...headers,
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
      signal,
    };
    const send = url.startsWith('https:') ? overHttps : overHttp;
    const request = send(url, options, (answer) => {
      // Node takes its own listener away from a socket that is aborted with a part of the answer unread.
      answer.socket.off('error', ignored).on('error', ignored);
      resolve(answer);
    });
    request.on('error', (cause) =>
      reject(cause.name === 'AbortError' ? cause : new Error('', { cause })),
    );
    // An answer to CONNECT, and one that changes the protocol, is none.
    request.on('close', () =>
      reject(new Error('', { cause: new Error('The answer is none of HTTP') })),
    );
    request.end(body);
  });
}

/** The request or the body tells of the same error. */
function ignored(): void {}

/** The body without its codings, which fails where it is not whole. */
function decoded(answer: IncomingMessage): Readable {
  const codings = (answer.headers['content-encoding'] ?? '').split(',');
  let body: Readable = answer;
  for (const coding of codings.map((name) => name.trim().toLowerCase()).reverse()) {
    if (coding !== '' && coding !== 'identity') {
      const decoder = DECODERS[coding]?.();
      if (!decoder) {
        answer.destroy(new Error(`The answer is encoded as ${coding}, which nobody asked for`));
        break;
      }
      // Whoever reads the last stream hears of each one's error.
      body = pipeline(body, decoder, () => undefined);
    }
  }
  return body;
}

function readerOf(body: Readable): ReturnType<NonNullable<ClientResponse['body']>['getReader']> {
  const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
  return {
    read: async () => {
      try {
        const { done = false, value } = await pieces.next();
        return value ? { done, value } : { done };
      } catch (error) {
        throw causeOf(error);
      }
    },
  };
}

/** An error of the body, in words where Node has none. */
function causeOf(error: unknown): Error {
  const isCut = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  return new Error('', { cause: isCut ? new Error('other side closed', { cause: error }) : error });
}
