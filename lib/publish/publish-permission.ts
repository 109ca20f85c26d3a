import { HttpException, HttpStatus } from '@nestjs/common';
import { withDeadline } from '../channel/deadline.js';
import type { Guard } from '../channel/guard.js';
import { isOf } from '../channel/reason.js';
import { SseError } from '../channel/sse-error.js';
import { permissionOf } from '../endpoint/access.js';
import { forbidden } from './publish-channels.js';
import type { AuthorizePublish, EventToPublish } from './publish.options.js';

/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 30_000;

const WHERE = 'SsePublishModule';

/** Asks the application whether the caller of one request may publish. */
export class PublishPermission {
  /** Whether an answer did not come in time: the request then waits for no other. */
  private isStuck = false;

  constructor(
    private readonly authorize: AuthorizePublish | undefined,
    private readonly request: object,
    private readonly guard: Guard,
    private readonly timeout = ANSWER_MS,
  ) {}

  /**
   * Asks about an event. No answer but true allows it.
   * @throws SseError `FORBIDDEN`; `UNAVAILABLE` when the question fails, or has no answer in time
   */
  async check(event: EventToPublish): Promise<void> {
    if (this.authorize && !(await this.mayPublish(event))) {
      throw forbidden(event.channel);
    }
  }

  private async mayPublish(event: EventToPublish): Promise<boolean> {
    if (this.isStuck) {
      throw undecided();
    }
    try {
      const answer: unknown = this.authorize!(this.request, event.channel, event);
      return permissionOf(typeof answer === 'boolean' ? answer : await this.settled(answer), WHERE);
    } catch (error) {
      if (isRefusal(error)) {
        return false;
      }
      this.guard.report(`\`authorize\` of ${WHERE}`, error);
      throw undecided(error);
    }
  }

  private async settled(answer: unknown): Promise<unknown> {
    const settled = Promise.resolve(answer).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    let outcome;
    try {
      outcome = await withDeadline(settled, this.timeout, `\`authorize\` of ${WHERE}`);
    } catch (error) {
      this.isStuck = true;
      throw error;
    }
    if ('error' in outcome) {
      throw outcome.error;
    }
    return outcome.value;
  }
}

function undecided(cause?: unknown): SseError {
  return new SseError('UNAVAILABLE', 'Nobody could say whether the caller may publish.', { cause });
}

/** Whether the application has thrown an answer, such as a ForbiddenException. */
function isRefusal(error: unknown): boolean {
  return (
    isOf(error, HttpException) && error.getStatus() < (HttpStatus.INTERNAL_SERVER_ERROR as number)
  );
}
