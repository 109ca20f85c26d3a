export { SseTestClient } from './sse-test-client.js';
export type { SseTestEnd, SseTestEvent, SseTestHead, SseTestWait } from './sse-test-event.js';
export type { SseTestApplication, SseTestClientOptions } from './sse-test-request.js';
export { untilPresent, type SsePresenceReader } from './until-present.js';
export { SseFrameParser, type SseFrame } from './sse-frame-parser.js';
export type { ContractTest } from './contract/rig.js';
export type { SourceSubject } from './contract/source-context.js';
export { testSource } from './contract/test-source.js';
export { testBroker, type BrokerSubject } from './contract/test-broker.js';
