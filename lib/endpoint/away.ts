import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { writePlainHead } from '../delivery/head.js';
import { endResponse, type Response } from '../delivery/response-writer.js';
import type { FrameworkRequest } from './framework-request.js';

/**
 * Whether the client returns by itself after a stream that tells it when. EventSource does, and so does
 * every client that says it reads what EventSource reads. Others would take the stream for the answer.
 */
export function returnsByItself({ method, headers }: FrameworkRequest, isOfRun: boolean): boolean {
  return (method === 'GET' && !isOfRun) || headers.accept?.includes('text/event-stream') === true;
}

/** Answers a client that does not return by itself, and names the time after which it may. */
export function answerUnavailable(
  response: Response,
  request: IncomingMessage,
  given: OutgoingHttpHeaders,
  returnTime: number,
): void {
  const seconds = String(Math.ceil(returnTime / 1000));
  const own = { 'content-type': 'text/plain; charset=utf-8', 'retry-after': seconds };
  writePlainHead(response, request, 503, { ...given, ...own });
  endResponse(response, 'There is no event stream for now. Try again later.\n');
}
