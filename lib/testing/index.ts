export { SseTestClient } from './sse-test-client.js';
export type { SseTestEnd, SseTestEvent, SseTestHead, SseTestWait } from './sse-test-event.js';
export type { SseTestApplication, SseTestClientOptions } from './sse-test-request.js';
export { SseFrameParser, type SseFrame } from './sse-frame-parser.js';
