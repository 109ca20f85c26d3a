import { isPromise } from 'node:util/types';
import { atOnce } from './at-once.js';
import { kindOf } from './shown.js';
import type { ChannelFeed, ChannelSink, ChannelSource } from './source.js';
import { SseError } from './sse-error.js';

/** A feed that may have nothing more to bring. */
export interface EndingFeed extends ChannelFeed {
  /** Whether all of the channel has come, and its history has it: the log serves nobody who comes later. */
  readonly isSpent?: boolean;
}

/**
 * Opens a channel of a source, and checks that `open()` returned a feed.
 * @throws SseError `INVALID_OPTION` when it did not; and every error that `open()` throws
 */
export function openFeed(source: ChannelSource, channel: string, sink: ChannelSink): ChannelFeed {
  const feed: unknown = atOnce(source.open(channel, sink));
  const fault = faultOf(feed);
  if (fault) {
    throw new SseError(
      'INVALID_OPTION',
      `open() of the source ${nameOf(source)} returned ${fault} for the channel ${JSON.stringify(channel)}. ` +
        'It must return a feed at once, an object with close(), and connect in its own time.',
    );
  }
  return feed as ChannelFeed;
}

function faultOf(feed: unknown): string | undefined {
  if (isPromise(feed)) {
    return 'a promise';
  }
  if (typeof feed !== 'object' || feed === null) {
    return kindOf(feed);
  }
  const { close, history } = feed as Partial<ChannelFeed>;
  if (typeof close !== 'function') {
    return 'an object without close()';
  }
  if (
    history !== undefined &&
    !(typeof history?.read === 'function' && typeof history.compare === 'function')
  ) {
    return 'a `history` without read() and compare()';
  }
  return undefined;
}

/** The name of a source in messages: its class. */
export function nameOf(source: object): string {
  return source.constructor?.name ?? 'without a class';
}
