import { ServerResponse, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Arrival } from '../delivery/arrivals.js';
import type { Dialect } from '../delivery/dialect.js';
import { STREAM_HEADERS, writePlainHead, writeStreamHead } from '../delivery/head.js';
import { awayFrame } from '../delivery/opening.js';
import {
  breakResponse,
  endResponse,
  isCutOff,
  writeFirst,
  type Response,
} from '../delivery/response-writer.js';
import { acceptsGzip } from './accepts-gzip.js';
import { answerUnavailable, returnsByItself } from './away.js';
import { afterOnSend, isHooked, type FastifyReply } from './fastify-head.js';
import { isInjected, type FrameworkRequest } from './framework-request.js';
import { turnOf } from './pipeline.js';
import { Stay } from './stay.js';

/** A response of Express, or a reply of Fastify. */
export type AnyResponse = ServerResponse | FastifyReply;

/** What a framework gives to a handler. */
export interface RequestAndResponse {
  readonly request: FrameworkRequest;
  readonly response: AnyResponse;
}

/** One request and its response, whichever framework they come from. */
export class Exchange implements Arrival {
  readonly request: FrameworkRequest;
  /** Node's own response. */
  readonly response: Response;
  private readonly reply: FastifyReply | undefined;
  /** Whether the package has begun to answer. */
  private isTaken = false;
  /** Set while the response tells it that the client has left. */
  private stay: Stay | undefined;
  /** Whether the client takes every end of the response for the end of the whole. */
  private isWhole = false;

  /** @param isOfRun whether the client may be one that reads the streams of runs only */
  constructor(
    { request, response }: RequestAndResponse,
    private readonly isOfRun = false,
  ) {
    this.request = request;
    this.reply = 'raw' in response ? response : undefined;
    this.response = 'raw' in response ? response.raw : response;
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

  /** Waits until this request can be answered. Returns `undefined` if it can be now. */
  turn(): Promise<boolean> | undefined {
    const { response } = this;
    const isWaiting = response instanceof ServerResponse && response.socket === null;
    return isWaiting ? turnOf(response, this.node.socket) : undefined;
  }

  /**
   * Waits for a resolver or a handler, but no longer than the client does.
   *
   * @param late takes a rejection of the promise that comes after the client has left
   * @throws RequestGone when the client leaves first; and the promise's own rejection
   */
  whileHere<T>(work: Promise<T>, late?: (error: unknown) => void): Promise<T> {
    if (!this.stay) {
      this.stay = new Stay();
      this.response.on('close', this.stay.end);
    }
    if (this.isGone) {
      this.stay.end();
    }
    return this.stay.await(work, late);
  }

  leave(): void {
    this.stay?.end();
  }

  drain(): void {
    const { node } = this;
    const isRead = node.complete && node.readableLength === 0;
    // An injected request that was read to its end cannot be aborted any more.
    if (!isRead && node.readableFlowing === null && !isInjected(node)) {
      node.resume();
    }
  }

  sendAway(returnTime: number): void {
    if (this.isGone) {
      this.leave();
    } else if (!this.hasBegun) {
      // Once the client has received the end, the response closes, and that stops the work.
      this.answerAway(returnTime).catch(() => undefined);
    }
  }

  destroy(): void {
    breakResponse(this.response);
    this.leave();
  }

  /** Calls back once nothing can reach the client any more. */
  onceClosed(callback: () => void): void {
    if (isCutOff(this.response)) {
      callback();
    } else {
      this.response.once('close', callback);
    }
  }

  /**
   * Takes the response from the framework, with the headers that were set so far and, on Fastify,
   * those that its hooks add. From here on no exception filter can answer. Returns false when
   * somebody else answers, or the client has left.
   *
   * @throws RequestGone when the client leaves meanwhile
   */
  take(head: OutgoingHttpHeaders = STREAM_HEADERS): boolean | Promise<boolean> {
    const { reply } = this;
    if (this.isTaken || this.isGone) {
      return false;
    }
    this.isTaken = true;
    if (reply && isHooked(reply)) {
      return this.whileHere(afterOnSend(reply, head)).then((isSent) => isSent && !this.isGone);
    }
    reply?.hijack();
    return true;
  }

  /**
   * Begins a stream on a response that was taken: head and first frame.
   *
   * @param mayCompress whether the stream is compressed where the client takes that
   */
  open(firstFrame: string, mayCompress: boolean, dialect?: Dialect): Response {
    this.isWhole = dialect !== undefined;
    for (const [name, value] of Object.entries(dialect?.headers ?? {})) {
      (this.response as ServerResponse).setHeader(name, value);
    }
    const isCompressed = mayCompress && acceptsGzip(this.request.headers['accept-encoding']);
    this.writeHead(isCompressed);
    writeFirst(this.response, firstFrame, isCompressed);
    if (this.stay) {
      this.response.removeListener('close', this.stay.end);
    }
    // While the rest of a body is unread, Node does not notice that the client leaves.
    this.drain();
    return this.response;
  }

  /** Answers with a stream that ends after the head. */
  async answer(): Promise<void> {
    if (await this.take()) {
      this.close();
    }
  }

  /** Makes the client return after a time in milliseconds. */
  async answerAway(returnTime: number): Promise<void> {
    if (await this.take(this.returnsByItself ? STREAM_HEADERS : {})) {
      this.closeAway(returnTime);
    }
  }

  /** Makes the client return after a time, on a response that was taken. */
  closeAway(returnTime: number): void {
    if (this.returnsByItself) {
      this.close(awayFrame(returnTime));
    } else {
      answerUnavailable(this.response, this.node, this.headers, returnTime);
    }
  }

  /** Answers 204, which tells an EventSource not to return. */
  async answerEnded(): Promise<void> {
    if (await this.take({})) {
      writePlainHead(this.response, this.node, 204, this.headers);
      endResponse(this.response);
    }
  }

  /** Ends a response that has begun, although there may be more to come. */
  end(): void {
    if (!this.response.writableEnded) {
      (this.isWhole ? breakResponse : endResponse)(this.response);
    }
  }

  private get returnsByItself(): boolean {
    return returnsByItself(this.request, this.isOfRun);
  }

  private close(frame = ''): void {
    this.writeHead();
    endResponse(this.response, frame);
  }

  private get node(): IncomingMessage {
    return this.request.raw ?? this.request;
  }

  private writeHead(isCompressed = false): void {
    const { response, node, reply } = this;
    const status = reply?.statusCode ?? response.statusCode;
    try {
      writeStreamHead(response, node, status, this.headers, isCompressed);
    } catch (error) {
      // Node refuses a header. Fastify does not answer after `hijack()`, and the client would wait.
      if (reply) {
        breakResponse(response);
      }
      throw error;
    }
    // Express's `next` would keep the route's state in memory for as long as the request.
    this.request.next &&= undefined;
  }

  /** Headers that Fastify has not passed to Node's response yet. */
  private get headers(): OutgoingHttpHeaders {
    return this.reply?.getHeaders() ?? {};
  }
}
