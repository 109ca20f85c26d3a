import type { ExecutionContext } from '@nestjs/common';
import { ServerResponse, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Arrival } from '../delivery/arrivals.js';
import { STREAM_HEADERS, writeEmptyHead, writeStreamHead } from '../delivery/head.js';
import { endResponse, isCutOff, type Response } from '../delivery/response-writer.js';
import { SSE_ABORT_CONTROLLER } from '../setup/nest-version.js';
import { afterOnSend, isHooked, type FastifyReply } from './fastify-head.js';
import { turnOf } from './pipeline.js';

interface ExpressRequest extends IncomingMessage {
  query?: unknown;
  /** The client's address, as the framework's trust-proxy setting determines it. */
  readonly ip?: string;
  params?: Record<string, string>;
  /** The parameters of the route's host, as Nest leaves them. */
  hosts?: Record<string, string>;
  next?: unknown;
}

/** What both frameworks' requests have. */
export type FrameworkRequest = ExpressRequest & { readonly raw?: IncomingMessage };

/** Thrown where a request is given up, because it has been answered or its client has left. */
export class RequestGone extends Error {
  constructor() {
    super('The request has been answered, or its client has left.');
  }
}

/** One request and its response, whichever framework they come from. */
export class Exchange implements Arrival {
  readonly request: FrameworkRequest;
  /** Node's own response. */
  readonly response: Response;
  private readonly reply: FastifyReply | undefined;
  /** Whether somebody has begun to answer in our name. */
  private isTaken = false;
  private giveUp: (() => void) | undefined;
  private gone: Promise<never> | undefined;

  constructor(context: ExecutionContext) {
    const http = context.switchToHttp();
    this.request = http.getRequest<FrameworkRequest>();
    const response = http.getResponse<ServerResponse | FastifyReply>();
    this.reply = 'raw' in response ? response : undefined;
    this.response = this.reply ? this.reply.raw : (response as ServerResponse);
    const { node } = this;
    if (isInjected(node)) {
      // An injected request that is aborted tells its response nothing.
      node.once('close', () => this.response.destroy());
    }
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD';
  }

  get isGone(): boolean {
    return this.response.writableEnded || isCutOff(this.response);
  }

  /** Whether somebody has begun to answer. */
  get hasBegun(): boolean {
    return this.response.headersSent || this.reply?.sent === true;
  }

  /** Waits until it is this request's turn to be answered; false when its client has left. */
  async turn(): Promise<boolean> {
    const { response } = this;
    const isWaiting = response instanceof ServerResponse && response.socket === null;
    return (!isWaiting || (await turnOf(response, this.node.socket))) && !this.isGone;
  }

  /**
   * Waits for a resolver or a handler, but no longer than the client does.
   *
   * @param late takes what the promise rejects with once the client has left
   * @throws RequestGone; and what the promise rejects with
   */
  async whileHere<T>(work: Promise<T>, late?: (error: unknown) => void): Promise<T> {
    this.gone ??= new Promise<never>((_, reject) => {
      this.giveUp = () => reject(new RequestGone());
      this.response.once('close', this.giveUp);
    });
    // Handled even if it comes when nobody waits.
    this.gone.catch(() => undefined);
    if (this.isGone) {
      this.leave();
    }
    const first = Promise.race([this.gone, work]);
    if (late) {
      first.catch((error: unknown) => {
        if (error instanceof RequestGone) {
          work.catch(late);
        }
      });
    }
    return first;
  }

  leave(): void {
    this.giveUp?.();
  }

  drain(): void {
    const { node } = this;
    // An injected request that was read to its end cannot be aborted any more.
    if (node.readableFlowing === null && !isInjected(node)) {
      node.resume();
    }
  }

  sendAway(frame: string): void {
    if (this.isGone) {
      this.leave();
    } else if (!this.hasBegun) {
      // Its end, once the client has it, has the work given up.
      this.answer(frame).catch(() => undefined);
    }
  }

  destroy(): void {
    this.response.destroy();
    this.leave();
  }

  /** Calls back once nothing reaches the client any more. */
  onceClosed(callback: () => void): void {
    if (isCutOff(this.response)) {
      callback();
    } else {
      this.response.once('close', callback);
    }
  }

  /** Makes `@SseSignal()` work, for the handlers that use it. */
  provideSignal(): void {
    let controller: AbortController | undefined;
    Object.defineProperty(this.request, SSE_ABORT_CONTROLLER, {
      configurable: true,
      get: () => {
        if (!controller) {
          const made = (controller = new AbortController());
          this.onceClosed(() => made.abort());
        }
        return controller;
      },
    });
  }

  /**
   * Makes the response ours, with the headers that were set so far and, on Fastify, those that
   * its hooks add. Returns false when it is another's: it is being answered, or the client has left.
   * From here on no exception filter can answer.
   *
   * @throws RequestGone when the client leaves meanwhile
   */
  async take(head: OutgoingHttpHeaders = STREAM_HEADERS): Promise<boolean> {
    const { reply } = this;
    if (this.isTaken || this.isGone) {
      return false;
    }
    this.isTaken = true;
    if (reply && isHooked(reply)) {
      return (await this.whileHere(afterOnSend(reply, head))) && !this.isGone;
    }
    reply?.hijack();
    return true;
  }

  /** Begins a stream on a response that was taken: head and first frame. */
  open(firstFrame: string): Response {
    this.writeHead();
    (this.response as ServerResponse).write(firstFrame);
    if (this.giveUp) {
      this.response.removeListener('close', this.giveUp);
    }
    // What is left of it would hide the end of the client, whose socket is not read then.
    this.drain();
    return this.response;
  }

  /** Begins a stream on a response that was taken, and ends it after one frame. */
  close(frame: string): void {
    this.writeHead();
    endResponse(this.response, frame);
  }

  /** Answers with a stream that ends after one frame, or after the head. */
  async answer(frame = ''): Promise<void> {
    if (await this.take()) {
      this.close(frame);
    }
  }

  /** Tells an EventSource that there is nothing left to come for: it does not return. */
  async answerEnded(): Promise<void> {
    if (await this.take({})) {
      writeEmptyHead(this.response, this.node, this.headers);
      endResponse(this.response);
    }
  }

  /** Ends a response that has begun. */
  end(): void {
    if (!this.response.writableEnded) {
      endResponse(this.response);
    }
  }

  private get node(): IncomingMessage {
    return this.request.raw ?? this.request;
  }

  private writeHead(): void {
    const { response, node, reply } = this;
    try {
      writeStreamHead(response, node, reply?.statusCode ?? response.statusCode, this.headers);
    } catch (error) {
      // A header that Node refuses. Fastify does not answer any more, and its client would wait.
      if (reply) {
        response.destroy();
      }
      throw error;
    }
    // What Express left there to go on with the route is kept as long as the request.
    this.request.next &&= undefined;
  }

  /** The headers that Fastify keeps to itself. */
  private get headers(): OutgoingHttpHeaders {
    return this.reply?.getHeaders() ?? {};
  }
}

/** Whether a request has no socket, as those of Fastify's inject(). */
function isInjected(request: IncomingMessage & { isLightMyRequest?: boolean }): boolean {
  return request.isLightMyRequest === true;
}
