export { SseHealthIndicator } from './sse-health.indicator.js';
export type { LiveOptions, ReadyOptions } from './health.options.js';
