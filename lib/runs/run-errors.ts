import { HttpException } from '@nestjs/common';
import { plain } from '../channel/plain-text.js';
import { asSseError, helpOf, type SseError, type SseErrorCode } from '../channel/sse-error.js';
import type { RunName } from '../channel/runs.js';

/** An `SseError` that Nest answers with a status and a body of its own, and does not log. */
class AnsweredError extends HttpException implements SseError {
  override readonly name = 'SseError';
  readonly help: string;

  constructor(
    readonly code: SseErrorCode,
    message: string,
    statusCode: number,
    /** What the body has beside the status and the message. */
    fields: object = {},
  ) {
    super({ statusCode, message: plain(message), ...fields }, statusCode);
    this.help = helpOf(code);
    asSseError(this);
  }
}

/** The error of `run()` for a channel that has an active run. Nest answers it with 409, and `runId` in the body. */
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
      { runId: id },
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
