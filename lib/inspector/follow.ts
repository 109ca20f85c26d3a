import type { Channel } from '../channel/channel.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { monotonicNow } from '../channel/clock.js';
import type { NamedEvent } from './live.js';
import { OpenStreams, type StreamReader } from './open-streams.js';
import { shownEvent } from './shown-event.js';
import { Ticker } from './ticker.js';

/** How often followers look, in milliseconds. */
const PERIOD_MS = 200;
/** The most events of a follower in a window of time, in milliseconds. */
const MOST_EVENTS = 50;
const WINDOW_MS = 1_000;
/** The most streams that may be open at the same time. */
const MOST_FOLLOWERS = 20;

/**
 * Shows the events of channels as they come, the first ones of each second. A follower looks at the log from time to
 * time: it is no reader, so that a channel neither knows of it nor stays open for it.
 */
export class Follow {
  private readonly streams = new OpenStreams(MOST_FOLLOWERS, 'streams of events');
  private readonly ticker: Ticker;

  constructor(
    private readonly registry: ChannelRegistry,
    private readonly showData: boolean,
    detach: <R>(run: () => R) => R,
  ) {
    this.ticker = new Ticker(PERIOD_MS, detach);
  }

  /** @throws HttpException 503 when there are too many streams */
  events(channel: Channel): AsyncIterable<NamedEvent> {
    this.streams.check();
    // From now on, also where the client takes its time.
    const { head } = channel.log;
    return this.streams.counted((reader) => this.eventsAfter(channel, head, reader));
  }

  private async *eventsAfter(
    channel: Channel,
    head: number,
    reader: StreamReader,
  ): AsyncGenerator<NamedEvent> {
    const { log } = channel;
    let seen = head;
    let left = MOST_EVENTS;
    let windowEnds = monotonicNow() + WINDOW_MS;
    for (;;) {
      await this.ticker.next(reader);
      if (reader.hasLeft) {
        return;
      }
      // Before the events are read: what comes before the end is shown.
      const isGone = this.registry.sourceOf(channel) === undefined;
      if (monotonicNow() >= windowEnds) {
        left = MOST_EVENTS;
        windowEnds = monotonicNow() + WINDOW_MS;
      }
      const until = log.head;
      const first = Math.max(seen + 1, log.first);
      const last = Math.min(until, first + left - 1);
      let skipped = until - seen;
      for (let place = first; place <= last; place++) {
        // It may have left the log while the client took the one before.
        if (place >= log.first) {
          left--;
          skipped--;
          yield named('event', shownEvent(log.at(place), this.showData));
        }
      }
      seen = until;
      if (skipped > 0) {
        yield named('skipped', { count: skipped });
      }
      if (isGone) {
        yield named('gone', {});
        return;
      }
    }
  }
}

function named(type: string, data: object): NamedEvent {
  return { type, data: JSON.stringify(data) };
}
