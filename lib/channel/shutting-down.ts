import { SseError } from './sse-error.js';

/** The error of calls that come too late. */
export function shuttingDown(): SseError {
  return new SseError('CLOSED', 'The application is shutting down.');
}
