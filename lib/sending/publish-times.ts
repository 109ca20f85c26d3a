import type { Histogram } from '../channel/histogram.js';
import type { CallTimes } from '../channel/send-report.js';
import type { SourceKind } from '../channel/source-kind.js';
import { isErrorCode } from '../channel/error-codes.js';
import { SseError } from '../channel/sse-error.js';
import type { Tally } from '../channel/tally.js';

/** The methods that publish: `sendAll()`, `complete()` and those of `to()` count as `send` or `sendKey`. */
export const PUBLISH_OPERATIONS = ['send', 'sendKey', 'notify'] as const;

export type PublishOperation = (typeof PUBLISH_OPERATIONS)[number];

/** Counts how long one method took, and what became of its calls. */
export class PublishTimes implements CallTimes {
  private readonly sent: Histogram;

  /** @param target what takes the events of the method */
  constructor(
    private readonly tally: Tally,
    private readonly operation: PublishOperation,
    readonly target: SourceKind,
  ) {
    this.sent = this.partOf('');
  }

  accepted(ms: number): void {
    this.sent.record(ms / 1_000);
  }

  rejected(ms: number, error: unknown): void {
    const code = error instanceof SseError && isErrorCode(error.code) ? error.code : 'other';
    this.partOf(code).record(ms / 1_000);
  }

  private partOf(error: string): Histogram {
    return this.tally.publishTimes.of({
      'sse.publish.operation': this.operation,
      'sse.publish.target': this.target,
      ...(error !== '' && { 'error.type': error }),
    });
  }
}
