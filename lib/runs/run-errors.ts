import { SseError, type SseErrorCode } from '../channel/sse-error.js';
import type { RunName } from '../channel/runs.js';

/** An error that Nest answers with a status of its own. It knows the errors of the package `http-errors` by these fields. */
class AnsweredError extends SseError {
  readonly expose = true;
  readonly statusCode: number;

  constructor(
    code: SseErrorCode,
    message: string,
    /** The status of the answer. */
    readonly status: number,
  ) {
    super(code, message);
    this.statusCode = status;
  }
}

/** The error of `run()` for a channel that has an active run. Nest answers it with 409. */
export class SseRunActiveError extends AnsweredError {
  /** The id of the active run. */
  readonly runId: string;

  /** @param ended how many runs were ended to begin this one, if others began new ones each time */
  constructor({ channel, id }: RunName, ended = 0) {
    super(
      'RUN_ACTIVE',
      `The channel ${JSON.stringify(channel)} has an active run, ${id}. ` +
        (ended > 0
          ? `Others keep beginning runs in it: ${ended} were ended, and each time there was another. Begin ` +
            'runs of a channel one after the other, or give each a channel of its own.'
          : 'Wait for its end, stop it by `stop()`, or give `replace: true`.'),
      409,
    );
    this.runId = id;
  }
}

/** The error of `run()` on an instance that has as many active runs as it may. Nest answers it with 503. */
export function tooManyRuns(most: number): SseError {
  return new AnsweredError(
    'LIMIT_REACHED',
    `${most} runs are active on this instance. Wait until one has ended, or raise \`runs.active\`.`,
    503,
  );
}
