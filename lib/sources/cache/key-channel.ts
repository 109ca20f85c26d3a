import type { ChannelFeed, ChannelSink, ResetReason, SourceEvent } from '../../channel/source.js';
import { sourceEvent, type Outlet } from './key-outlets.js';
import type { KeyStore } from './key-store.js';

/** The key's feed, as its channels see it. */
export interface OutletFeed {
  /** Starts or ends reading the key for the channel. */
  setRead(read: boolean): void;
  /** A value has arrived from the instance that took it. */
  noteArrived(event: SourceEvent): void;
  /** Values may be missing between the last one and the next. */
  noteReset(reason: ResetReason): void;
  /** A value waits for the key's readers. */
  noteWaiting(): void;
  /** The value that a new client gets first. */
  current(): SourceEvent | undefined;
  close(): void;
}

export function openChannel(
  store: KeyStore,
  key: string,
  outlet: Outlet,
  feed: OutletFeed,
): ChannelFeed {
  if (outlet.follows) {
    return openFollowing(store, key, outlet, feed);
  }
  // A value waits in the key until the key is polled, so nothing can be missed.
  outlet.sink.live();
  return {
    resume: () => feed.setRead(true),
    pause: () => feed.setRead(false),
    current: () => feed.current(),
    close: () => feed.close(),
  };
}

/** Opens a channel that gets the values which any instance takes from the key. */
function openFollowing(
  store: KeyStore,
  key: string,
  { sink, options }: Outlet,
  feed: OutletFeed,
): ChannelFeed {
  let [wanted, live] = [false, false];
  // Polling begins only when the channel follows the stream: it would miss values taken before that.
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
