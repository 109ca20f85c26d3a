import { appendOrSkip } from '../channel/event-check.js';
import { ofKind, sourceKindOf } from '../channel/source-kind.js';
import type {
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  ChannelSource,
  HistoryEvent,
  SourceEvent,
} from '../channel/source.js';
import type { SseError } from '../channel/sse-error.js';
import type { Serialize } from '../channel/value-text.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { checkedText } from '../typed/checked-data.js';

/** Types with this prefix are the module's own: no definition has them. */
const OWN_TYPES = 'sse:';

/** What `TypedSource` needs beside the source. */
export interface TypedServices {
  /** Turns what a schema outputs into text; `undefined` for JSON. */
  readonly serialize: Serialize | undefined;
  /** Tells of an event that is left out. */
  readonly report: (channel: string, error: SseError) => void;
}

/**
 * A source whose events have the types of a definition: readers receive what the schemas make of them, and an `sse:reset`
 * in place of an event that does not fit.
 */
export class TypedSource implements ChannelSource {
  constructor(
    private readonly source: ChannelSource,
    private readonly definition: ChannelDefinition,
    private readonly services: TypedServices,
  ) {
    ofKind(sourceKindOf(source), this);
  }

  open(channel: string, sink: ChannelSink): ChannelFeed {
    const report = (error: SseError): void => this.services.report(channel, error);
    const feed = this.source.open(channel, {
      live: (position) => sink.live(position),
      reset: (reason, position, isInPlace) => sink.reset(reason, position, isInPlace),
      append: (event) => {
        // A source of the application's may not expect that it is refused an event.
        let id = event?.id ?? event?.position ?? '';
        const typed: Pick<ChannelSink, 'append' | 'reset'> = {
          append: () => (id = sink.append(this.checked(event))),
          reset: (reason, position) => sink.reset(reason, position),
        };
        appendOrSkip(typed as ChannelSink, event, report);
        return id;
      },
    });
    return this.typedFeed(feed, report);
  }

  private typedFeed(feed: ChannelFeed, report: (error: SseError) => void): ChannelFeed {
    const { history } = feed ?? {};
    if (typeof feed?.close !== 'function') {
      // openFeed() tells what is wrong with it.
      return feed;
    }
    return {
      ...(history && { history: this.typedHistory(history, report) }),
      current: () => {
        const event = feed.current?.();
        return event && this.checked(event);
      },
      pause: () => feed.pause?.(),
      resume: () => feed.resume?.(),
      close: () => feed.close(),
    };
  }

  private typedHistory(history: ChannelHistory, report: (error: SseError) => void): ChannelHistory {
    return {
      compare: (a, b) => history.compare(a, b),
      read: async (position, limit, signal) => {
        const page = await history.read(position, limit, signal);
        return Array.isArray(page?.events)
          ? { ...page, events: page.events.map((event) => this.checkedEntry(event, report)) }
          : page;
      },
    };
  }

  private checkedEntry(event: HistoryEvent, report: (error: SseError) => void): HistoryEvent {
    if (event?.reset !== undefined) {
      return event;
    }
    try {
      return this.checked(event) as HistoryEvent;
    } catch (error) {
      report(error as SseError);
      return { ...event, reset: 'skipped-event' };
    }
  }

  /** @throws SseError `INVALID_EVENT` for an event that is not of the definition */
  private checked(event: SourceEvent): SourceEvent {
    const { data, type, end } = event ?? {};
    if (typeof data !== 'string' || end === true || type?.startsWith(OWN_TYPES)) {
      // The end of a run and the module's own events. The channel refuses what is no event.
      return event;
    }
    const text = checkedText(this.definition, type, data, this.services.serialize);
    return text === data ? event : { ...event, data: text };
  }
}
