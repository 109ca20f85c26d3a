import type { ChannelFeed, ChannelSink, ResetReason, SourceEvent } from '../../channel/source.js';
import { sourceEvent, type Outlet } from './key-outlets.js';
import type { KeyStore } from './key-store.js';

/** What a channel that follows a key needs of the key's feed. */
export interface FollowedFeed {
  /** Has the key read for the channel, or no longer. */
  setRead(read: boolean): void;
  /** A value has come from the instance that took it. */
  noteArrived(event: SourceEvent): void;
  /** Values may be missing from what comes. */
  noteReset(reason: ResetReason): void;
  /** A value waits for the key's readers. */
  noteWaiting(): void;
  /** The channel is dropped. */
  close(): void;
}

/** Opens a channel that is given what is taken from the key by whichever instance. */
export function openFollowing(
  store: KeyStore,
  key: string,
  { sink, options }: Outlet,
  feed: FollowedFeed,
): ChannelFeed {
  let [wanted, live] = [false, false];
  // The key is not polled before its stream is followed: the value would pass by.
  const settle = () => feed.setRead(wanted && live);
  const following: ChannelSink = {
    live: (position) => {
      live = true;
      sink.live(position);
      settle();
    },
    append: (event) => {
      feed.noteArrived(event);
      return sink.append(event);
    },
    reset: (reason, position, isInPlace) => {
      feed.noteReset(reason);
      sink.reset(reason, position, isInPlace);
    },
  };
  const stream = store.follow!(key, following, {
    shape: (event) => ({ ...event, ...sourceEvent(event, options) }),
    onWake: () => feed.noteWaiting(),
  });
  return {
    history: stream.history,
    resume: () => {
      wanted = true;
      settle();
    },
    pause: () => {
      wanted = false;
      settle();
    },
    close: () => {
      stream.close();
      feed.close();
    },
  };
}
