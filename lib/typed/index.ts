export { defineChannel } from './define-channel.js';
export { unchecked } from './standard-schema.js';
export type { StandardSchema } from './standard-schema.js';
export type {
  ChannelDefinition,
  DataOf,
  DataToSend,
  EventOf,
  EventTypeOf,
  ParamsOf,
  StreamEventOf,
} from './channel-definition.js';
export { SseError } from '../channel/sse-error.js';
export type { SseErrorCode } from '../channel/sse-error.js';
