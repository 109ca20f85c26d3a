// What the pages of the sample import. In an app of yours its bundler finds these.
// From 'nestjs-sse-channels/client':
export { SseClient, shareTabs } from '../lib/client/index.js';
// The server imports the same ones:
export { Key } from './key.channel.js';
export { Room } from './room.channel.js';
