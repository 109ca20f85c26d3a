import { SSE_ABORT_CONTROLLER, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { openingFrame, writeHead, type Opening } from '../delivery/opening.js';
import type { Response } from '../delivery/response-writer.js';

interface ExpressRequest extends IncomingMessage {
  query?: unknown;
  params?: Record<string, string>;
  next?: unknown;
}

/** What both frameworks' requests have. */
export type FrameworkRequest = ExpressRequest & { readonly raw?: IncomingMessage };

interface FastifyReply {
  readonly raw: Response;
  statusCode: number;
  getHeaders(): OutgoingHttpHeaders;
  hijack(): unknown;
}

/** One request and its response, whichever framework they come from. */
export class Exchange {
  readonly request: FrameworkRequest;
  /** Node's own response. */
  readonly response: Response;
  private readonly reply: FastifyReply | undefined;

  constructor(context: ExecutionContext) {
    const http = context.switchToHttp();
    this.request = http.getRequest<FrameworkRequest>();
    const response = http.getResponse<ServerResponse | FastifyReply>();
    this.reply = 'raw' in response ? response : undefined;
    this.response = this.reply ? this.reply.raw : (response as ServerResponse);
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD';
  }

  /** Whether the client has left. */
  get isGone(): boolean {
    return this.response.destroyed || this.response.writableEnded;
  }

  onceClosed(callback: () => void): void {
    this.response.once('close', callback);
  }

  /** Makes `@SseSignal()` work, for the handlers that use it. */
  provideSignal(): void {
    const { request, response } = this;
    let controller: AbortController | undefined;
    Object.defineProperty(request, SSE_ABORT_CONTROLLER, {
      configurable: true,
      get: () => {
        if (!controller) {
          const made = new AbortController();
          controller = made;
          if (response.destroyed) {
            made.abort();
          } else {
            response.once('close', () => made.abort());
          }
        }
        return controller;
      },
    });
  }

  /** Begins a stream: head and first frame. */
  open(opening: Opening, retry: number, id: string | undefined): Response {
    this.writeHead();
    (this.response as ServerResponse).write(openingFrame(opening, retry, id));
    return this.response;
  }

  /** Answers with a stream that ends after one frame, or after the head. */
  answer(frame = ''): void {
    this.writeHead();
    this.response.end(frame);
  }

  /** Tells an EventSource that there is nothing left to come for: it does not return. */
  answerEnded(): void {
    const headers = this.takeOver();
    this.response.writeHead(204, headers as Record<string, string>);
    this.response.end();
  }

  /** Ends a response that has begun. */
  end(): void {
    if (!this.response.writableEnded) {
      this.response.end();
    }
  }

  private writeHead(): void {
    writeHead(this.response, this.reply?.statusCode ?? this.response.statusCode, this.takeOver());
  }

  /** Makes the response ours, and returns the headers that were set so far. */
  private takeOver(): OutgoingHttpHeaders {
    this.reply?.hijack();
    // What Express left there to go on with the route is kept as long as the request.
    this.request.next &&= undefined;
    return this.reply?.getHeaders() ?? {};
  }
}
