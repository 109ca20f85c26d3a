export { SseOpenTelemetryModule } from './sse-opentelemetry.module.js';
export type { SseOpenTelemetryOptions } from './sse-opentelemetry.module.js';
