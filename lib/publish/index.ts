export { SsePublishModule } from './publish.module.js';
export type {
  AuthorizePublish,
  EventToPublish,
  PublishLimits,
  SsePublishOptions,
  SsePublishRoute,
} from './publish.options.js';
export type { PublishFault, PublishResult } from './publish-answer.js';
