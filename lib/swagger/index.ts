export { describeSseChannels } from './describe-sse-channels.js';
export type { OpenApiDocument } from './open-api.js';
