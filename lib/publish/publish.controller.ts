import {
  Controller,
  HttpCode,
  HttpStatus,
  Inject,
  Post,
  Req,
  Res,
  UseGuards,
  type Type,
} from '@nestjs/common';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { guardsToUse } from '../setup/guarded-route.js';
import { markPublishRoute } from './publish-facts.js';
import type { PublishAnswer } from './publish-answer.js';
import type { SsePublishRoute } from './publish.options.js';
import { Publisher } from './publisher.js';

/** A response of Express, or a reply of Fastify. */
interface FrameworkResponse {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

/** The controller of one route. The request is taken as it is: pipes of the application do not change its body. */
export function publishController({ guards, path = 'publish', version }: SsePublishRoute): Type {
  @UseGuards(...guardsToUse(guards))
  @Controller({ path, ...(version !== undefined && { version }) })
  class SsePublishController {
    constructor(@Inject(Publisher) readonly publisher: Publisher) {}

    @Post()
    @HttpCode(HttpStatus.OK)
    async publish(
      @Req() request: FrameworkRequest,
      @Res({ passthrough: true }) response: FrameworkResponse,
    ): Promise<object> {
      return answered(await this.publisher.publish(request), response);
    }
  }
  markPublishRoute(SsePublishController.prototype.publish);
  return SsePublishController;
}

/** Sets what an answer has beside its body. @throws HttpException where the answer is an error */
function answered(answer: PublishAnswer, response: FrameworkResponse): object {
  if (answer.retryAfter !== undefined) {
    response.header('Retry-After', String(answer.retryAfter));
  }
  if (answer.exception) {
    throw answer.exception;
  }
  response.status(answer.status);
  return answer.body;
}
