import type { ClientEvent, ClientReset, SseClient, SubscriptionHandlers } from '../client/index.js';
import type { ChannelSettings, ChannelView } from './channel-view.js';

/** The options of a component, whatever its types are. */
export interface StoreOptions extends ChannelSettings<ClientEvent> {
  readonly initial?: unknown;
  readonly reduce?: ((state: unknown, event: ClientEvent | ClientReset) => unknown) | undefined;
}

type View = ChannelView<ClientEvent, unknown>;

/** What `useSyncExternalStore()` reads: a channel for one component. */
export interface ChannelStore {
  /** Those of the latest render. */
  options: StoreOptions;
  /** Subscribes to the channel, and begins anew. */
  subscribe(tell: () => void): () => void;
  view(): View;
  /** What the server renders. It has no events. */
  first(): View;
}

const KEPT = 100;
const SNAPSHOT = 'sse:snapshot';

/** @param open subscribes; a store without it stays as it is */
export function channelStore(
  client: SseClient,
  options: StoreOptions,
  open: ((handlers: SubscriptionHandlers) => { close(): void }) | undefined,
): ChannelStore {
  const begin = (): View => ({
    event: undefined,
    events: [],
    state: store.options.initial,
    status: open ? 'connecting' : 'closed',
    error: undefined,
    reset: undefined,
  });
  const store: ChannelStore = {
    options,
    view: () => view,
    first: () => first,
    subscribe(tell) {
      next = view = begin();
      if (!open) return () => undefined;
      const change = (part: Partial<View>): void => {
        // What comes at once is rendered once.
        if (next === view) {
          queueMicrotask(() => {
            view = next;
            tell();
          });
        }
        next = { ...next, ...part };
      };
      const take = (event: ClientEvent | ClientReset): void => {
        const { reduce, onEvent } = store.options;
        try {
          if (reduce) change({ state: reduce(next.state, event) });
        } finally {
          if (event.type !== SNAPSHOT) onEvent?.(event);
        }
      };
      const end = (status: View['status'], error?: Error): void => {
        stopStatus();
        change({ status, error });
      };
      const stopStatus = client.onStatus((status, error) => {
        if (status !== 'open') change({ status, error: error ?? next.error });
        // The client is open, and this channel not yet: the attempt to read it has failed.
        else if (error?.isFinal === false && next.status !== 'open') {
          change({ status: 'waiting', error });
        }
      });
      if (client.status === 'waiting') change({ status: 'waiting' });
      let subscription: { close(): void } | undefined;
      try {
        subscription = open({
          ...(store.options.from && { from: store.options.from }),
          onOpen: () => change({ status: 'open', error: undefined }),
          onEvent(event) {
            const { keep = KEPT } = store.options;
            change({ event, events: [...next.events, event].slice(-keep || Infinity) });
            take(event);
          },
          onReset(reset) {
            change({ reset });
            take(reset);
          },
          onOther: (event) => event.type === SNAPSHOT && take(event),
          onEnd: () => end('ended'),
          onDenied: () => end('denied'),
          onError: (error) => end('failed', error),
        });
      } catch (error) {
        end('failed', error as Error);
      }
      return () => {
        stopStatus();
        subscription?.close();
      };
    },
  };
  const first = begin();
  let view = first;
  let next = first;
  return store;
}
