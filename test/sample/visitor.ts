import { SseTestClient } from '../../lib/testing/index.js';

const TEXT = { 'content-type': 'text/plain' };

/** A browser that is logged in to the lounge of the sample. */
export class Visitor {
  private constructor(
    readonly name: string,
    private readonly address: string,
    private readonly cookie: string,
  ) {}

  static async logIn(address: string, name: string): Promise<Visitor> {
    const response = await fetch(`${address}/session`, {
      method: 'POST',
      headers: TEXT,
      body: name,
    });
    return new Visitor(name, address, response.headers.getSetCookie()[0]!.split(';')[0]!);
  }

  /** The same browser on another instance: cookies know no port. */
  on(address: string): Visitor {
    return new Visitor(this.name, address, this.cookie);
  }

  enter(room: string): Promise<SseTestClient> {
    const headers = { cookie: this.cookie };
    return SseTestClient.connect(`${this.address}/events/lounges/${room}`, { headers });
  }

  async send(method: string, path: string, body?: string): Promise<number> {
    const headers = { ...TEXT, cookie: this.cookie };
    const options = { method, headers, ...(body !== undefined && { body }) };
    return (await fetch(this.address + path, options)).status;
  }
}

/** What a stream has told of one visitor: `sse:join` and `sse:leave`. */
export function comingsAndGoings(stream: SseTestClient, name: string): string[] {
  return stream.events
    .filter(({ type, data }) => /^sse:(join|leave)$/.test(type) && idOf(data) === name)
    .map(({ type }) => type);
}

function idOf(data: string): string {
  return (JSON.parse(data) as { id: string }).id;
}
