import { HttpStatus } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { PUBLISH_OPTIONS } from '../publish/publish.options.js';
import { Publisher } from '../publish/publisher.js';
import { readOptions } from '../sources/options/option-table.js';
import { answer } from './request-query.js';

/** What a browser says of requests that a page of somebody else makes. */
const FOREIGN: ReadonlySet<unknown> = new Set(['cross-site', 'same-site']);

/** Publishes what the form of the page brings, as `SsePublishModule` would. */
export class SendForm {
  private readonly publisher: Publisher;

  /** @throws SseError `NOT_CONFIGURED` */
  constructor(moduleRef: ModuleRef) {
    const settings = readOptions(PUBLISH_OPTIONS, { limits: { eventsPerRequest: 1 } });
    this.publisher = new Publisher(settings, moduleRef);
    this.publisher.onModuleInit();
  }

  /** @returns the id of the event @throws HttpException */
  async send(request: FrameworkRequest): Promise<{ readonly id: string }> {
    checkIsOwn(request);
    const { exception, ...answered } = await this.publisher.publish(request);
    if (exception) {
      throw exception;
    }
    const { id } = (answered as { readonly body: { readonly id?: string } }).body;
    if (id === undefined) {
      throw answer(HttpStatus.BAD_REQUEST, 'INVALID_EVENT', 'Give one event, and not a list.');
    }
    return { id };
  }
}

/**
 * Refuses what a page of somebody else makes a browser send. A browser without this header asks first, as the body is
 * JSON: https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 *
 * @throws HttpException 403
 */
function checkIsOwn({ headers }: FrameworkRequest): void {
  if (FOREIGN.has(headers['sec-fetch-site'])) {
    throw answer(
      HttpStatus.FORBIDDEN,
      'FORBIDDEN',
      'The request comes from a page of another site. Send events from the page of the inspector.',
    );
  }
}
