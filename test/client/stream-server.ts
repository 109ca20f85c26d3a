import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that answers as a test says, whatever that is. */
export class StreamServer {
  /** Answers each request. */
  answer: (response: ServerResponse, request: IncomingMessage) => void = (response) =>
    response.end();
  requests = 0;
  private readonly server = createServer((request, response) => {
    this.requests++;
    this.answer(response, request);
  });

  async start(): Promise<void> {
    this.requests = 0;
    await new Promise<void>((resolve) => void this.server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** Answers each request by a stream that stays open, and begins so. */
  stream(text: string, type = 'text/event-stream'): void {
    this.answer = (response) => {
      response.writeHead(200, { 'content-type': type });
      response.write(text);
    };
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A frame of the server. */
export function frame(type: string, data: unknown, id?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `event: ${type}\ndata: ${text}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
}

/** `sse:open` of the endpoint's one channel. */
export const OPEN = frame('sse:open', { channels: ['a'], labels: {} });
