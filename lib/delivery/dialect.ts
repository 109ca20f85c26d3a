import type { Channel } from '../channel/channel.js';
import type { LogEntry } from '../channel/log-entry.js';
import { RESET_TYPE } from '../channel/reset-event.js';
import type { ChannelFeed } from '../channel/source.js';
import { entryFrame, frameOf } from './frame.js';

/**
 * How the stream of a channel differs for clients that speak a protocol of their own in Server-Sent
 * Events. Such a client fails at an event of this package, and takes every end of a response for the
 * end of the whole.
 */
export interface Dialect {
  /** Headers that the stream has as well. Their names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The data of the events that a client receives in place of a reset. The stream ends after them. */
  readonly reset: readonly string[];
}

/** A feed whose channel may have a dialect. */
export interface DialectFeed extends ChannelFeed {
  readonly dialect?: Dialect | undefined;
}

/** The dialect of a channel; `undefined` for nearly all. */
export function dialectOf(channel: Channel): Dialect | undefined {
  return (channel.feed as DialectFeed | undefined)?.dialect;
}

/** The dialect of a stream. Only a stream of one channel can have one. */
export function dialectOfAll(
  cursors: readonly { readonly channel: Channel }[],
): Dialect | undefined {
  return cursors.length === 1 ? dialectOf(cursors[0]!.channel) : undefined;
}

/** Writes the frames of a dialect's events. */
export function framesIn({ reset }: Dialect): (entry: LogEntry) => string {
  const resetFrames = reset.map((data) => frameOf({ data })).join('');
  return (entry) => (entry.type === RESET_TYPE ? resetFrames : entryFrame(entry));
}
