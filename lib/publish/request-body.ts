import { HttpStatus } from '@nestjs/common';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { Refusal } from './publish-answer.js';

const JSON_TYPE = 'application/json';

/**
 * Refuses a body of another type. A page of another origin can send forms and plain text, with the cookies of
 * its visitor; for JSON the browser asks first.
 *
 * @throws Refusal 415, 500 where nothing has read the body
 */
export function checkIsJson({ headers, body }: FrameworkRequest): void {
  const given = headers['content-type'];
  const type = given?.split(';', 1)[0]!.trim().toLowerCase();
  if (type !== JSON_TYPE) {
    throw new Refusal(
      HttpStatus.UNSUPPORTED_MEDIA_TYPE,
      new SseError(
        'INVALID_EVENT',
        `The body is ${given === undefined ? 'of no type' : shown(given)}. Send JSON, with \`Content-Type: ${JSON_TYPE}\`.`,
      ),
    );
  }
  const isSent =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
  if (body === undefined && isSent) {
    throw new SseError(
      'NOT_CONFIGURED',
      'Nothing has read the body of a request to publish. Leave `bodyParser: false` out of NestFactory.create(), or add a parser for JSON.',
    );
  }
}
