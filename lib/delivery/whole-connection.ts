import { Connection } from './connection.js';
import type { EndReason } from './end-reason.js';

/**
 * A connection whose client takes every end of the response for the end of the whole. It ends only
 * when the channel has; before that it breaks, so that the client knows that something is missing.
 */
export class WholeConnection extends Connection {
  override end(frames = '', reason: EndReason = 'completed', events = 0): void {
    if (reason === 'completed') {
      super.end(frames, reason, events);
    } else {
      // A shutdown may end a connection before it has a reader.
      queueMicrotask(() => this.destroy(reason));
    }
  }

  override revoke(): void {
    this.destroy('revoked');
  }
}
