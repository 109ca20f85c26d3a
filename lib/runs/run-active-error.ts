import { SseError } from '../channel/sse-error.js';
import type { RunRecord } from '../channel/runs.js';

/** The error of `run()` for a channel that has an active run. Nest answers it with 409. */
export class SseRunActiveError extends SseError {
  /** The id of the active run. */
  readonly runId: string;
  /** The status of an answer, as Nest's exception filter reads it from errors of other packages. */
  readonly statusCode = 409;

  constructor({ channel, id }: Pick<RunRecord, 'channel' | 'id'>) {
    super(
      'RUN_ACTIVE',
      `The channel ${JSON.stringify(channel)} has an active run. Wait for its end, stop it by \`stop()\`, ` +
        'or give `replace: true`.',
    );
    this.runId = id;
  }
}
