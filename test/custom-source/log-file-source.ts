import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
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

/** How many bytes before a position tell whether it is in the same file. */
const CHECKED = 100;

/**
 * Each line of `<folder>/<channel>.log` is an event. Its position is the offset where it ends, and a checksum of what
 * stands before it, as another file may be as long.
 */
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
  /** Everything up to this position has been appended; `undefined` until the file was found. */
  private end: string | undefined;
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
    if (position !== undefined && offsetOf(position) < 0) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    const events = await this.after(position);
    return events === undefined
      ? { events: [], last: true, reset: 'failover' }
      : { events: events.slice(0, limit), last: events.length <= limit };
  }

  /** Looks for new lines again and again; what fails is tried again. */
  private async follow(): Promise<void> {
    await this.look().catch(() => undefined);
    if (!this.closed) {
      this.timer = setTimeout(() => void this.follow(), this.interval);
    }
  }

  private async look(): Promise<void> {
    const isFirst = this.end === undefined;
    const events = await this.after(this.end);
    if (this.closed) {
      return; // Nothing may be appended after close(), which may have come while the file was read.
    }
    if (isFirst || events === undefined) {
      const all = events ?? (await this.after(undefined)) ?? [];
      const end = all.at(-1)?.position ?? positionAt(Buffer.alloc(0), 0, 0);
      this.end = end;
      if (isFirst) {
        this.sink.live(end);
      } else if (!this.closed) {
        // Another file has taken its place: what was between the two is not known.
        this.sink.reset('failover', end);
      }
      return;
    }
    for (const event of events) {
      this.end = event.position;
      this.sink.append(event);
    }
  }

  /** The whole lines after a position; `undefined` when another file has taken the place of that one. */
  private async after(position: string | undefined): Promise<HistoryEvent[] | undefined> {
    const from = position === undefined ? 0 : offsetOf(position);
    const start = Math.max(0, from - CHECKED);
    const file = await open(this.path);
    try {
      const { size } = await file.stat();
      if (from > size) {
        return undefined;
      }
      const { buffer } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
      if (position !== undefined && positionAt(buffer, start, from) !== position) {
        return undefined;
      }
      const events: HistoryEvent[] = [];
      let line = from - start;
      for (let at = buffer.indexOf(10, line); at >= 0; at = buffer.indexOf(10, line)) {
        const data = buffer.toString('utf8', line, at);
        line = at + 1;
        events.push({ data, position: positionAt(buffer, start, start + line) });
      }
      return events;
    } finally {
      await file.close();
    }
  }
}

/** The position at an offset of the file, of which `buffer` has what follows `start`. */
function positionAt(buffer: Buffer, start: number, offset: number): string {
  const before = buffer.subarray(Math.max(0, offset - CHECKED) - start, offset - start);
  return `${offset}.${createHash('md5').update(before).digest('hex').slice(0, 8)}`;
}

function offsetOf(position: string): number {
  const [, offset] = /^(\d{1,15})\.[0-9a-f]{8}$/.exec(position) ?? [];
  return offset === undefined ? -1 : Number(offset);
}
