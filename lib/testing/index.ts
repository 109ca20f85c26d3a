export {
  SseTestClient,
  type SseTestEnd,
  type SseTestEvent,
  type SseTestHead,
  type SseTestWait,
} from './sse-test-client.js';
export type { SseTestApplication, SseTestClientOptions } from './sse-test-request.js';
export { SseFrameParser, type SseFrame } from './sse-frame-parser.js';
