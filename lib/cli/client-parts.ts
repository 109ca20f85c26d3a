// What the command has of the client for browsers. The build makes one file of it, as the client's own
// files are not in the package.
export { Connection } from '../client/connection.js';
export type { ConnectionEnd } from '../client/connection-end.js';
export { meaningOf } from '../client/connection-end.js';
export type { ClientRequest, ClientResponse } from '../client/connection-options.js';
export type { Frame } from '../client/event-stream-parser.js';
export { ReturnTimes } from '../client/return-times.js';
