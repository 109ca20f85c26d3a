import { useEffect, useMemo, useSyncExternalStore } from 'react';
import type { ClientEvent, ClientEventOf } from '../client/index.js';
import type { ChannelDefinition, ParamsOf } from '../typed/channel-definition.js';
import { channelStore, type StoreOptions } from './channel-store.js';
import type { ChannelOptions, ChannelView } from './channel-view.js';
import { useSseClient } from './client-context.js';

/** Nothing, for a definition with placeholders: params have to follow it. */
type WithoutParams<Definition extends ChannelDefinition> =
  Definition['template'] extends `${string}{${string}` ? never : unknown;

/**
 * Subscribes to a channel while the component is mounted, by the client of the nearest
 * `SseClientProvider`. With another channel, client, `from` or `enabled` it begins anew. On the server it
 * renders `connecting`, without events.
 *
 * @param channel its name
 * @throws Error when there is no provider
 *
 * @example
 * ```tsx
 * const { event, status } = useChannel(Job, { id });
 * const { state } = useChannel('news', { initial: 0, reduce: (count) => count + 1 });
 * ```
 */
export function useChannel<State = undefined>(
  channel: string,
  options?: ChannelOptions<ClientEvent, State>,
): ChannelView<ClientEvent, State>;
/**
 * The same, for a channel whose events have types.
 *
 * @param definition what `defineChannel()` returns
 * @throws Error as above
 */
export function useChannel<Definition extends ChannelDefinition, State = undefined>(
  definition: Definition & WithoutParams<Definition>,
  options?: ChannelOptions<ClientEventOf<Definition>, State>,
): ChannelView<ClientEventOf<Definition>, State>;
/**
 * The same, for one of the channels of a definition.
 *
 * @param params the values of its template
 * @throws SseError `INVALID_CHANNEL` when a value is missing or empty
 * @throws Error as above
 */
export function useChannel<Definition extends ChannelDefinition, State = undefined>(
  definition: Definition,
  params: ParamsOf<Definition>,
  options?: ChannelOptions<ClientEventOf<Definition>, State>,
): ChannelView<ClientEventOf<Definition>, State>;
export function useChannel(of: string | ChannelDefinition, ...args: unknown[]): unknown {
  const client = useSseClient();
  const definition = typeof of === 'string' ? undefined : of;
  const params = definition?.template.includes('{') ? [args.shift() as never] : [];
  const options = (args[0] ?? {}) as StoreOptions;
  const { enabled = true, from } = options;
  const name = enabled && (definition ? definition.channel(...params) : of);
  const store = useMemo(
    () =>
      channelStore(
        client,
        options,
        enabled
          ? (handlers) => client.subscribe(of as string, ...(params as []), handlers)
          : undefined,
      ),
    // The params and options are new ones at each render.
    [client, name, from],
  );
  // Before it subscribes, which is an effect as well.
  useEffect(() => {
    store.options = options;
  });
  return useSyncExternalStore(store.subscribe, store.view, store.first);
}
