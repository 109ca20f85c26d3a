import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { Readable } from 'node:stream';
import { SseFrameParser, type SseFrame } from '../../lib/testing/index.js';
import { until } from '../support/until.js';

/** The HTTP that a client speaks. */
export type HttpVersion = '1.1' | '2';

interface Answer {
  readonly status: number;
  readonly body: Readable;
  /** Cuts the connection. */
  readonly cut: () => void;
}

/**
 * A client of many channels on one connection, with ids per channel: it keeps the position in each, as a page
 * does, whatever happens to the connection.
 */
export class PositionsClient {
  /** What has come of each channel, `sse:` events among it. */
  readonly events = new Map<string, SseFrame[]>();
  /** What has come that is of no channel: `sse:denied` and `sse:end`. */
  readonly others: SseFrame[] = [];
  /** The status of the last answer. */
  status = 0;
  /** How many streams have begun, and how many events have come. */
  streams = 0;
  count = 0;
  isOpen = false;
  /** The characters of the longest id of an event. */
  longestId = 0;
  private labels: Readonly<Record<string, string>> = {};
  /** By channel; a channel that starts live has none. */
  private readonly positions = new Map<string, string>();
  private cutNow: () => void = () => undefined;
  private body: Readable | undefined;

  constructor(
    private readonly channels: readonly string[],
    from: Readonly<Record<string, string>> = {},
    private readonly version: HttpVersion = '1.1',
  ) {
    Object.entries(from).forEach(([name, position]) => this.positions.set(name, position));
  }

  /** Where the client returns to in a channel. */
  positionIn(channel: string): string | undefined {
    return this.positions.get(channel);
  }

  dataOf(channel: string): string[] {
    return (this.events.get(channel) ?? []).map(({ data }) => data!);
  }

  /** Opens a stream that goes on after what has come. */
  async connect(url: string, channels = this.channels): Promise<void> {
    const known = [...this.positions].filter(([name]) => channels.includes(name));
    const labelOf = new Map(Object.entries(this.labels).map(([label, name]) => [name, label]));
    const body = {
      channels,
      ids: 'channel',
      lastEventId: known
        .filter(([name]) => labelOf.has(name))
        .map(([name, position]) => `${labelOf.get(name)}:${position}`)
        .join(),
      from: Object.fromEntries(known.filter(([name]) => !labelOf.has(name))),
    };
    const answer = await (this.version === '2' ? overHttp2 : overHttp1)(url, JSON.stringify(body));
    const before = this.streams;
    this.status = answer.status;
    this.cutNow = answer.cut;
    this.body = answer.body;
    this.isOpen = true;
    const parser = new SseFrameParser((frame) => this.note(frame));
    answer.body
      .on('data', (chunk: Buffer) => {
        // A cut connection brings nothing, also what has come with the last bytes.
        if (this.isOpen) {
          parser.push(chunk);
        }
      })
      .once('close', () => (this.isOpen &&= this.body !== answer.body))
      .on('error', () => undefined);
    if (answer.status === 200) {
      await until(() => this.streams > before || !this.isOpen);
    }
  }

  cut(): void {
    this.isOpen = false;
    this.cutNow();
  }

  pause(): void {
    this.body?.pause();
  }

  resume(): void {
    this.body?.resume();
  }

  private note({ ...frame }: SseFrame): void {
    if (frame.type === 'sse:open') {
      this.streams++;
      this.labels = { ...this.labels, ...(JSON.parse(frame.data!) as { labels: object }).labels };
    }
    for (const place of frame.id?.split(',') ?? []) {
      const end = place.indexOf(':');
      this.positions.set(this.labels[place.slice(0, end)]!, place.slice(end + 1));
    }
    if (frame.type === 'sse:open' || frame.data === undefined) {
      return;
    }
    this.longestId = Math.max(this.longestId, frame.id?.length ?? 0);
    const channel = channelOf(frame, this.labels);
    if (channel === undefined) {
      this.others.push(frame);
      return;
    }
    this.count++;
    const known = this.events.get(channel);
    if (known) {
      known.push(frame);
    } else {
      this.events.set(channel, [frame]);
    }
  }
}

function channelOf({ id, type, data }: SseFrame, labels: Record<string, string>) {
  return type === 'sse:reset' || type === 'sse:snapshot'
    ? (JSON.parse(data!) as { channel: string }).channel
    : id && labels[id.slice(0, id.indexOf(':'))];
}

const HEADERS = { 'content-type': 'application/json', accept: 'text/event-stream' };

async function overHttp1(url: string, body: string): Promise<Answer> {
  const sent = request(url, { method: 'POST', headers: HEADERS, agent: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  sent.on('error', () => undefined);
  return { status: response.statusCode!, body: response, cut: () => sent.destroy() };
}

async function overHttp2(url: string, body: string): Promise<Answer> {
  const { origin, pathname } = new URL(url);
  const session: ClientHttp2Session = connect(origin);
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': pathname, ...HEADERS });
  stream.end(body);
  const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
  stream.once('close', () => session.destroy());
  return { status: headers[':status'], body: stream, cut: () => session.destroy() };
}
