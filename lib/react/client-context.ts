import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useSyncExternalStore,
  type ReactElement,
  type ReactNode,
} from 'react';
import type { ClientStatus, SseClient } from '../client/index.js';

const ClientContext = createContext<SseClient | undefined>(undefined);

export interface SseClientProviderProps {
  /**
   * The client of the components below. Make it outside of the components, or by `useState()`: it connects
   * when the first component subscribes, and disconnects when the last has gone.
   */
  readonly client: SseClient;
  readonly children?: ReactNode;
}

/** Gives a client to the components below. */
export function SseClientProvider({ client, children }: SseClientProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/**
 * The client of the nearest provider.
 * @throws Error when there is none above the component
 */
export function useSseClient(): SseClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error('There is no client. Put an <SseClientProvider> above.');
  return client;
}

/** The status of the client, for all channels together. `closed` while no component subscribes. */
export function useSseStatus(): ClientStatus {
  const client = useSseClient();
  return useSyncExternalStore(
    useCallback((tell) => client.onStatus(tell), [client]),
    () => client.status,
    () => 'closed',
  );
}
