export { SseClientProvider, useSseClient, useSseStatus } from './client-context.js';
export { useChannel } from './use-channel.js';
export type {
  ChannelEvent,
  ChannelOptions,
  ChannelReducer,
  ChannelStatus,
  ChannelView,
  ClientSnapshot,
} from './channel-view.js';
