import { SseTestClient, type SseTestEvent } from '../../lib/testing/index.js';

/** A client that returns as a browser does, each time to another instance. */
export class ReturningClient {
  readonly events: SseTestEvent[] = [];
  returns = 0;
  /** The status that ended it for good; 204 at the end of a run. */
  endedWith: number | undefined;
  private client: SseTestClient | undefined;
  private lastEventId: string | undefined;
  private closed = false;
  private readonly done: Promise<void>;

  /** @param nextUrl where to connect next */
  constructor(private readonly nextUrl: () => string) {
    this.done = this.run();
  }

  get data(): string[] {
    return this.events.filter(({ type }) => type !== 'sse:reset').map(({ data }) => data);
  }

  get resets(): string[] {
    return this.events.filter(({ type }) => type === 'sse:reset').map(({ data }) => data);
  }

  get isOpen(): boolean {
    return this.client?.isOpen === true;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.client?.close();
    await this.done;
  }

  private async run(): Promise<void> {
    while (!this.closed && this.endedWith === undefined) {
      await this.connectOnce().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  private async connectOnce(): Promise<void> {
    const resume = this.lastEventId === undefined ? {} : { lastEventId: this.lastEventId };
    const client = await SseTestClient.connect(this.nextUrl(), resume);
    this.client = client;
    if (this.closed) {
      await client.close();
      return;
    }
    if (client.opened.status === 204) {
      this.endedWith = 204;
      return;
    }
    await client.closed;
    this.events.push(...client.events);
    this.lastEventId = client.lastEventId || this.lastEventId;
    this.returns++;
  }

  /** What came so far, the present connection's included. */
  get received(): string[] {
    const open = this.client?.isOpen ? this.client.events : [];
    const now = open.filter(({ type }) => type !== 'sse:reset').map(({ data }) => data);
    return [...this.data, ...now];
  }
}
