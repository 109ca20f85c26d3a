import { connect, type Socket } from 'node:net';

/** A client that is no more than a socket, for what a well-behaved one does not do. */
export class RawClient {
  /** Everything received, when it is kept. */
  text = '';
  bytes = 0;
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
  }

  /** Connects and sends a GET request for a stream. */
  static async get(
    url: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<RawClient> {
    const client = await RawClient.open(url);
    client.send(path, headers);
    return client;
  }

  static async open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  send(path: string, headers: Record<string, string> = {}): void {
    const lines = Object.entries({ Host: 'localhost', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    this.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  /** Sends GET requests in one write, without waiting for answers. */
  sendTogether(paths: readonly string[]): void {
    this.socket.write(
      paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''),
    );
  }

  /** Reads everything from now on. */
  read(): this {
    this.socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.text += chunk.toString('latin1');
    });
    return this;
  }

  /** Stops reading, so that the kernel's buffers fill up. */
  stall(): this {
    this.socket.pause();
    return this;
  }

  /** Events received so far, by their `data:` lines; without `sse:open`. */
  get data(): string[] {
    return [...this.text.matchAll(/(retry: \d+\nevent: sse:open\n)?^data: (.*)$/gm)].flatMap(
      ([, opening, data]) => (opening ? [] : [data!]),
    );
  }

  destroy(): void {
    this.socket.destroy();
  }
}
