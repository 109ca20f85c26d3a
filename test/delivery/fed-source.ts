import type {
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  ChannelSource,
  HistoryEvent,
  HistoryPage,
  SourceEvent,
} from '../../lib/channel/source.js';

/** How the channels of a source begin. */
export interface FedSourceOptions {
  /** Whether it listens at once; else it does so when a test calls `live()` of the channel's sink. */
  readonly isReady?: (channel: string) => boolean;
  /** What a new client gets first. */
  readonly current?: (channel: string) => SourceEvent | undefined;
  /** Whether it can read again what it has sent. */
  readonly hasHistory?: boolean;
}

/**
 * A source that a test feeds. The events of each channel have the positions 1, 2, 3 … and, for data, the
 * channel's name and that number: `a1`, `a2`.
 */
export class FedSource implements ChannelSource {
  readonly sinks = new Map<string, ChannelSink>();
  /** Calls of the channels' feeds, such as `pause a`. */
  readonly calls: string[] = [];
  /** Whether requests for a page of history wait for `letGo()`. */
  isHolding = false;
  private readonly held: (() => void)[] = [];
  private readonly written = new Map<string, HistoryEvent[]>();
  private readonly floors = new Map<string, number>();

  constructor(private readonly options: FedSourceOptions = {}) {}

  open(name: string, sink: ChannelSink): ChannelFeed {
    const { isReady = () => true, current, hasHistory } = this.options;
    this.sinks.set(name, sink);
    if (isReady(name)) {
      sink.live(`${this.of(name).length}`);
    }
    return {
      ...(hasHistory && { history: this.historyOf(name) }),
      ...(current && { current: () => current(name) }),
      pause: () => void this.calls.push(`pause ${name}`),
      resume: () => void this.calls.push(`resume ${name}`),
      close: () => void this.sinks.delete(name),
    };
  }

  /** Sends so many events. */
  write(channel: string, count = 1, isEnd = false): void {
    for (let left = count; left > 0; left--) {
      const written = this.of(channel);
      const position = `${written.length + 1}`;
      const event = { position, data: channel + position, end: isEnd && left === 1 };
      written.push(event);
      this.sinks.get(channel)?.append(event);
    }
  }

  /** Tells that events may be missing; with a history, it has an event there. */
  reset(channel: string): void {
    const written = this.of(channel);
    const position = `${written.length + 1}`;
    written.push({ position, data: '', reset: 'skipped-event' });
    this.sinks.get(channel)?.reset('skipped-event', position);
  }

  /** Forgets what it has sent: a history that is read from before tells so. */
  forget(channel: string): void {
    this.floors.set(channel, this.of(channel).length);
  }

  /** The event that it has sent last. */
  newest(channel: string): SourceEvent | undefined {
    return this.of(channel).at(-1);
  }

  /** Answers all requests for a page of history. */
  letGo(): void {
    this.isHolding = false;
    this.held.splice(0).forEach((answer) => answer());
  }

  private of(name: string): HistoryEvent[] {
    const written = this.written.get(name) ?? [];
    this.written.set(name, written);
    return written;
  }

  private historyOf(name: string): ChannelHistory {
    return {
      compare: (a, b) => Number(a) - Number(b),
      read: async (position, limit): Promise<HistoryPage> => {
        if (this.isHolding) {
          await new Promise<void>((resolve) => void this.held.push(resolve));
        }
        const written = this.of(name);
        const after = Number(position ?? 0);
        if (after < (this.floors.get(name) ?? 0)) {
          return { events: [], last: true, reset: 'trimmed' };
        }
        const events = written.slice(after, after + limit);
        const ended = after > 0 && written[after - 1]?.end === true;
        return { events, last: after + events.length === written.length, ended };
      },
    };
  }
}
