import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { until } from '../support/until.js';

/** A stream read by `fetch`, byte for byte, and parsed by `eventsource-parser`. */
export class RawStream {
  text = '';
  /** The event `sse:open`, which every stream of channels begins with. */
  opening: EventSourceMessage | undefined;
  /** All other events. */
  readonly events: EventSourceMessage[] = [];
  readonly closed: Promise<void>;

  private constructor(
    readonly response: Response,
    private readonly abort: AbortController,
  ) {
    this.closed = this.read().catch(() => undefined);
  }

  static async open(url: string, init: RequestInit = {}): Promise<RawStream> {
    const abort = new AbortController();
    return new RawStream(await fetch(url, { ...init, signal: abort.signal }), abort);
  }

  /** What follows the opening frame. Fails when the stream begins otherwise. */
  get afterOpening(): string {
    const opening = /^retry: \d+\nevent: sse:open\ndata: \{"channels":.*\}\n(id: .+\n)?\n/;
    if (!opening.test(this.text)) {
      throw new Error(`No opening frame at the start of ${JSON.stringify(this.text)}`);
    }
    return this.text.replace(opening, '');
  }

  /** Waits until the text satisfies the condition, and returns it. */
  async textOnce(condition: (text: string) => boolean): Promise<string> {
    await until(() => condition(this.text), {
      what: `a text; there is ${JSON.stringify(this.text)}`,
    });
    return this.text;
  }

  async event(index: number): Promise<EventSourceMessage> {
    await until(() => this.events.length > index);
    return this.events[index]!;
  }

  async close(): Promise<void> {
    this.abort.abort();
    await this.closed;
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const parser = createParser({
      onEvent: (event) => {
        if (event.event === 'sse:open') {
          this.opening = event;
        } else {
          this.events.push(event);
        }
      },
    });
    for await (const chunk of this.response.body as AsyncIterable<Uint8Array>) {
      const text = decoder.decode(chunk, { stream: true });
      this.text += text;
      parser.feed(text);
    }
  }
}
