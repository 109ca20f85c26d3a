export { describeSseChannels } from './describe-sse-channels.js';
export type { OpenApiDocument } from './open-api.js';
export type { DescribeOptions } from './json-schemas.js';
