import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  SseError,
  type ChannelFeed,
  type ChannelHistory,
  type ChannelSink,
  type ChannelSource,
  type HistoryEvent,
  type HistoryPage,
} from '../../lib/index.js';

/** Each line of `<folder>/<channel>.log` is an event. Its position is the offset where it ends. */
export class LogFileSource implements ChannelSource {
  constructor(
    private readonly folder: string,
    private readonly interval = 250,
  ) {}

  open(channel: string, sink: ChannelSink): ChannelFeed {
    // Names may come from a request: this one becomes part of a path.
    if (!/^[\w-]+$/.test(channel)) {
      throw new SseError('INVALID_CHANNEL', `There is no log named ${JSON.stringify(channel)}.`);
    }
    return new LogFileFeed(join(this.folder, `${channel}.log`), sink, this.interval);
  }
}

class LogFileFeed implements ChannelFeed, ChannelHistory {
  readonly history = this;
  /** Everything up to this offset has been appended; `undefined` until the file was found. */
  private end: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly path: string,
    private readonly sink: ChannelSink,
    private readonly interval: number,
  ) {
    void this.follow();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** Never throws: a client may have sent anything as its position. */
  compare(a: string, b: string): number {
    return offsetOf(a) - offsetOf(b);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const from = position === undefined ? 0 : offsetOf(position);
    if (from < 0) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    const { size } = await stat(this.path);
    if (from > size) {
      return { events: [], last: true, reset: 'failover' };
    }
    const events = await this.lines(from, size);
    return { events: events.slice(0, limit), last: events.length <= limit };
  }

  /** Looks for new lines again and again; what fails is tried again. */
  private async follow(): Promise<void> {
    await this.look().catch(() => undefined);
    if (!this.closed) {
      this.timer = setTimeout(() => void this.follow(), this.interval);
    }
  }

  private async look(): Promise<void> {
    const { size } = await stat(this.path);
    if (this.end === undefined) {
      this.end = size;
      if (!this.closed) {
        this.sink.live(String(size));
      }
      return;
    }
    if (size < this.end) {
      // Another file has taken its place: what was between the two is not known.
      this.end = size;
      if (!this.closed) {
        this.sink.reset('failover', String(size));
      }
      return;
    }
    for (const event of await this.lines(this.end, size)) {
      // Nothing may be appended after close(), which may have come while the file was read.
      if (!this.closed) {
        this.sink.append(event);
      }
      this.end = offsetOf(event.position);
    }
  }

  private async lines(from: number, to: number): Promise<HistoryEvent[]> {
    const file = await open(this.path);
    try {
      const { buffer } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
      const events: HistoryEvent[] = [];
      let start = 0;
      for (let at = buffer.indexOf(10); at >= 0; at = buffer.indexOf(10, start)) {
        const data = buffer.toString('utf8', start, at);
        start = at + 1;
        events.push({ data, position: String(from + start) });
      }
      return events;
    } finally {
      await file.close();
    }
  }
}

function offsetOf(position: string): number {
  return /^\d{1,15}$/.test(position) ? Number(position) : -1;
}
