import type { GatheredLog } from '../../channel/gathered-log.js';
import { SseError } from '../../channel/sse-error.js';
import { refusalOf } from './redis-refusal.js';

/** Streams that Redis refuses to read. Logs each once, until it can be read again. */
export class StreamRefusals {
  private readonly refused = new Set<string>();

  constructor(
    private readonly address: string,
    private readonly log: GatheredLog,
  ) {}

  /**
   * Notes that a reading has failed. The connection logs outages itself, and a reading that ends
   * with the shutdown is no fault.
   */
  note(key: string, error: unknown): void {
    if (error instanceof SseError && error.code === 'CLOSED') {
      return;
    }
    const refusal = refusalOf(error as Error, this.address, key);
    if (refusal && !this.refused.has(key)) {
      this.refused.add(key);
      const cause = refusalOf(error as Error, this.address)?.message ?? refusal.message;
      this.log.note(key, {
        level: 'error',
        cause,
        line: `The channel of ${key} cannot be read: ${refusal.message}`,
        several: (count, keys) => `${count} channels cannot be read, those of ${keys}: ${cause}`,
      });
    }
  }

  /** Forgets a stream that was read, or that nobody reads any more. */
  forget(key: string): void {
    this.refused.delete(key);
  }
}
