import { HttpException, HttpStatus } from '@nestjs/common';
import { withDeadline } from '../channel/deadline.js';
import { Guard } from '../channel/guard.js';
import type { SseLogger } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import { permissionOf } from '../endpoint/access.js';
import { forbidden } from './publish-channels.js';
import type { AuthorizePublish, EventToPublish } from './publish.options.js';

/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 30_000;

const WHERE = 'SsePublishModule';

/** Asks the application whether the caller of a request may publish. */
export class PublishPermission {
  private readonly guard: Guard;

  constructor(
    private readonly authorize: AuthorizePublish | undefined,
    log: SseLogger,
    private readonly timeout = ANSWER_MS,
  ) {
    this.guard = new Guard(log);
  }

  /**
   * Asks about an event. No answer but true allows it.
   * @throws SseError `FORBIDDEN`; `UNAVAILABLE` when the question fails, or has no answer in time
   */
  async check(request: object, event: EventToPublish): Promise<void> {
    if (!this.authorize) {
      return;
    }
    let mayPublish: boolean;
    try {
      const answer: unknown = this.authorize(request, event.channel, event);
      const settled =
        typeof answer === 'boolean'
          ? answer
          : await withDeadline(Promise.resolve(answer), this.timeout, '`authorize`');
      mayPublish = permissionOf(settled, WHERE);
    } catch (error) {
      if (!isRefusal(error)) {
        this.guard.report(`\`authorize\` of ${WHERE}`, error);
        throw new SseError('UNAVAILABLE', 'Nobody could say whether the caller may publish.', {
          cause: error,
        });
      }
      mayPublish = false;
    }
    if (!mayPublish) {
      throw forbidden(event.channel);
    }
  }
}

/** Whether the application has thrown an answer, such as a ForbiddenException. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof HttpException &&
    error.getStatus() < (HttpStatus.INTERNAL_SERVER_ERROR as number)
  );
}
