import { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { chunkOf, type Block } from './block.js';
import { GzipStream } from './gzip-stream.js';

/** A response of `node:http` or of `node:http2`'s compatibility API. */
export type Response = ServerResponse | Http2ServerResponse;

/** The method that a compressing middleware adds to a response. */
interface Flushable {
  flush?: () => void;
}

/**
 * Writes blocks to a response the cheapest way that is safe for it.
 *
 * `response.write` frames each chunk anew and hands the socket three buffers. With
 * HTTP/1.1's chunked encoding the framing depends on the bytes alone, so a block brings
 * its own and the socket takes it as it is, which saves a third of the cost.
 */
export class ResponseWriter {
  /** The response's socket, as long as blocks may bypass the response. */
  private socket: Socket | undefined;
  /** The stream that the blocks go into, if the response is compressed. */
  private readonly gzip: GzipStream | undefined;

  /** The caller must have written the head and the opening frame. */
  constructor(private readonly response: Response) {
    this.socket = directSocket(response);
    this.gzip = (response as Written)[GZIP];
    if (this.socket) {
      (response as Written)[WRITER] = this;
      response.on('prefinish', onEnded);
    }
  }

  /** Writes a block. Returns false when the client should be given time to read. */
  write(block: Block): boolean {
    const { chunk, frames } = this.gzip ? this.gzip.add(block) : block;
    // We read nothing of the response here: with many clients it would come from far memory.
    if (this.socket) {
      return this.socket.write(chunk);
    }
    const response = this.response as ServerResponse & Flushable;
    if (response.writableEnded) {
      return false;
    }
    const isOpen = response.write(frames);
    response.flush?.();
    return isOpen;
  }

  /** Ends the bypass: from now on blocks go through the response. */
  leaveSocket(): void {
    this.socket = undefined;
  }

  /** Calls back once after the client has read enough for more. */
  onceDrained(callback: () => void): void {
    (this.socket ?? this.response).once('drain', callback);
  }
}

/**
 * Writes the head, which the caller has given to the response, and the first frame. What follows in this turn goes
 * with them: all of it is one system call. The response is compressed from here on if that is wanted.
 */
export function writeFirst(response: Response, frame: string, isCompressed: boolean): void {
  const gzip = isCompressed ? ((response as Written)[GZIP] = new GzipStream()) : undefined;
  const socket = directSocket(response);
  if (!socket) {
    (response as ServerResponse).write(gzip ? gzip.begin(frame) : frame);
    return;
  }
  socket.cork();
  process.nextTick(uncork, socket);
  (response as ServerResponse).flushHeaders();
  if (gzip) {
    socket.write(chunkOf(gzip.begin(frame)).chunk);
  } else {
    socket.write(`${Buffer.byteLength(frame).toString(16)}\r\n${frame}\r\n`);
  }
}

function uncork(socket: Socket): void {
  socket.uncork();
}

/** Where a response keeps its writer: one listener serves all responses. */
const WRITER = Symbol('writer');

/** Where a compressed response keeps its stream: whoever ends the response ends that as well. */
const GZIP = Symbol('gzip');

type Written = Response & { [WRITER]?: ResponseWriter; [GZIP]?: GzipStream };

/**
 * Called when a response ends, perhaps by other code: a block on the bare socket would now begin
 * another answer. https://nodejs.org/api/http.html#event-prefinish
 */
function onEnded(this: Written): void {
  this[WRITER]!.leaveSocket();
}

/**
 * Whether the connection to the client is gone, as far as Node knows. It may not have told us yet.
 */
export function isCutOff(response: Response): boolean {
  if (response instanceof ServerResponse) {
    const { socket } = response;
    return response.destroyed || socket === null || socket.destroyed;
  }
  const { stream } = response;
  return stream.closed || stream.destroyed;
}

/**
 * Ends a response, and over HTTP/2 a request whose body still arrives. Over HTTP/1.1 the head's
 * `connection: close` ends such a request.
 */
export function endResponse(response: Response, frame = ''): void {
  const last = (response as Written)[GZIP]?.end(frame) ?? frame;
  if (response instanceof ServerResponse) {
    response.end(last);
    return;
  }
  const { req, stream } = response;
  stream.once('finish', () => {
    if (!req.complete) {
      // https://www.rfc-editor.org/rfc/rfc9113#section-8.1-9
      stream.close(constants.NGHTTP2_NO_ERROR);
    }
  });
  response.end(last);
}

/** Breaks a response off, so that its client knows that something is missing. */
export function breakResponse(response: Response): void {
  if (!(response instanceof ServerResponse)) {
    // Without a code Node resets the stream as if nothing were wrong.
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  } else if (response.headersSent && !response.chunkedEncoding) {
    resetConnection(response.socket);
  }
  response.destroy();
}

/** In HTTP/1.0 the end of the connection is the end of the answer: only TCP can tell that it is not. */
function resetConnection(socket: Socket | null): void {
  try {
    socket?.resetAndDestroy();
  } catch {
    // A connection that is not of TCP alone. Over TLS the client misses the end that TLS has itself.
  }
}

/** The response's socket, when blocks may bypass the response. */
function directSocket(response: Response): Socket | undefined {
  if (!(response instanceof ServerResponse)) {
    return undefined;
  }
  const { socket } = response;
  const isSafe =
    socket !== null &&
    response.headersSent &&
    response.chunkedEncoding &&
    // A middleware that wrapped `write` wants to see the bytes.
    response.write === ServerResponse.prototype.write &&
    // A block must not overtake what the response still keeps.
    response.writableLength === socket.writableLength;
  return isSafe ? socket : undefined;
}
