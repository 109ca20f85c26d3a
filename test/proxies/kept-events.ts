import type {
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  ChannelSource,
  HistoryEvent,
  HistoryPage,
} from '../../lib/index.js';

/** A source whose events outlive the application: those of a channel have the positions 1, 2, 3 …. */
export class KeptEvents implements ChannelSource {
  private readonly events = new Map<string, HistoryEvent[]>();
  private readonly sinks = new Map<string, Set<ChannelSink>>();

  append(channel: string, data: string): void {
    const events = this.of(channel);
    const event = { data, position: `${events.length + 1}` };
    events.push(event);
    for (const sink of this.sinks.get(channel) ?? []) sink.append(event);
  }

  open(channel: string, sink: ChannelSink): ChannelFeed {
    const sinks = this.sinks.get(channel) ?? new Set();
    this.sinks.set(channel, sinks.add(sink));
    sink.live(`${this.of(channel).length}`);
    const history: ChannelHistory = {
      compare: (a, b) => (Number(a) || 0) - (Number(b) || 0),
      read: async (position, limit): Promise<HistoryPage> => {
        const all = this.of(channel).slice(Number(position ?? 0));
        return { events: all.slice(0, limit), last: all.length <= limit };
      },
    };
    return { history, close: () => void sinks.delete(sink) };
  }

  private of(channel: string): HistoryEvent[] {
    const events = this.events.get(channel) ?? [];
    this.events.set(channel, events);
    return events;
  }
}
