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

  url = '';

  async start(): Promise<void> {
    this.requests = 0;
    await this.listen(0);
    this.url = `http://127.0.0.1:${this.port}/`;
  }

  /** Refuses connections while it waits for something. */
  async away(work: () => Promise<unknown>): Promise<void> {
    const { port } = this;
    await this.close();
    await work();
    await this.listen(port);
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private listen(port: number): Promise<void> {
    return new Promise((resolve) => void this.server.listen(port, '127.0.0.1', resolve));
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
