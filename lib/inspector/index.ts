export { SseInspectorModule } from './inspector.module.js';
export type { SseInspectorOptions, SseInspectorRoute } from './inspector.options.js';
