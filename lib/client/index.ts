export { SseClientError } from './client-error.js';
export type { ClientFetch, ClientRequest, ClientResponse } from './connection-options.js';
export type {
  ClientEvent,
  ClientEventOf,
  ClientReset,
  Handlers,
  SubscribeArgs,
  SubscriptionHandlers,
} from './events.js';
export type { ClientObserver } from './iterate.js';
export { shareTabs, type ShareTabsOptions, type TabSharing } from './share-tabs.js';
export { SseClient, type SseClientOptions } from './sse-client.js';
export type { SseSubscription } from './sse-subscription.js';
export type { ClientStatus } from './upstream.js';
