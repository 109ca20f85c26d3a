export type { ClientStatus } from './upstream.js';
