import type { SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { refusalOf } from './redis-refusal.js';

/** Streams that Redis refuses to read: each is logged once, until it could be read again. */
export class StreamRefusals {
  private readonly refused = new Set<string>();

  constructor(
    private readonly address: string,
    private readonly logger: SseLogger,
  ) {}

  /**
   * The stream could not be read. The connection logs an outage; and while we stop, nothing is a
   * fault.
   */
  note(key: string, error: unknown): void {
    if (error instanceof SseError && error.code === 'CLOSED') {
      return;
    }
    const refusal = refusalOf(error as Error, this.address, key);
    if (refusal && !this.refused.has(key)) {
      this.refused.add(key);
      this.logger.error(`The channel of ${key} cannot be read: ${refusal.message}`);
    }
  }

  /** The stream was read, or nobody reads it any more. */
  forget(key: string): void {
    this.refused.delete(key);
  }
}
