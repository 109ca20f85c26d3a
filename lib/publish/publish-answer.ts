import { HttpException, HttpStatus } from '@nestjs/common';
import { SseError, type SseErrorCode } from '../channel/sse-error.js';
import type { SendResult } from '../sending/send-all.options.js';
import { SseSchemaError } from '../typed/schema-error.js';
import type { SchemaIssue } from '../typed/schema-issues.js';

/** Why an event, or a request, is refused: the body of the answer, or a part of it. */
export interface PublishFault {
  readonly statusCode: number;
  /** The code of the `SseError`; none for what is no fault of the caller. */
  readonly code?: SseErrorCode;
  readonly message: string;
  /** The address of the page about errors of this code. */
  readonly help?: string;
  /** Where the data of a typed event does not fit, and why. */
  readonly issues?: readonly SchemaIssue[];
}

/** What has become of one event of a request. */
export type PublishResult =
  | { readonly status: 'sent'; readonly id: string; readonly duplicate: boolean }
  | { readonly status: 'failed'; readonly error: PublishFault };

/** What a request is answered. */
export type PublishAnswer = { readonly retryAfter: number | undefined } & (
  | { readonly exception: HttpException }
  | { readonly exception?: undefined; readonly status: number; readonly body: object }
);

/** An error that has a status of its own, in place of that of its code. */
export class Refusal extends Error {
  constructor(
    readonly status: HttpStatus,
    readonly error: SseError,
    /** After how many seconds the caller may try again. */
    readonly retryAfter?: number,
  ) {
    super(error.message);
  }
}

const STATUS: Partial<Record<SseErrorCode, HttpStatus>> = {
  INVALID_CHANNEL: HttpStatus.BAD_REQUEST,
  INVALID_EVENT: HttpStatus.BAD_REQUEST,
  INVALID_OPTION: HttpStatus.BAD_REQUEST,
  FORBIDDEN: HttpStatus.FORBIDDEN,
  EVENT_TOO_LARGE: HttpStatus.PAYLOAD_TOO_LARGE,
};

/** What the caller is told where the cause is on our side: causes may name hosts and more. */
const OURS: Partial<Record<SseErrorCode, string>> = {
  UNAVAILABLE:
    'The event could not be sent at the moment. Send it again later, with the same idempotency key.',
  LIMIT_REACHED: 'Too many events wait to be sent at the moment. Send it again later.',
  CLOSED: 'The application is shutting down. Send the event again.',
};

/** The seconds after which a caller may try again what failed for a cause on our side. */
const RETRY_SECONDS = 1;

/** What the caller is told of an error. */
export function faultOf(error: unknown): PublishFault {
  if (error instanceof HttpException) {
    return { statusCode: error.getStatus(), message: error.message };
  }
  if (error instanceof Refusal) {
    return told(error.error, error.status);
  }
  if (error instanceof SseError) {
    const status = STATUS[error.code];
    if (status !== undefined) {
      return told(error, status);
    }
    const message = OURS[error.code];
    if (message !== undefined) {
      const { code, help } = error;
      return { statusCode: HttpStatus.SERVICE_UNAVAILABLE, code, message, help };
    }
  }
  return {
    statusCode: HttpStatus.INTERNAL_SERVER_ERROR,
    message: 'The event could not be sent. The log of the application tells why.',
  };
}

function told(error: SseError, statusCode: HttpStatus): PublishFault {
  const { code, message, help } = error;
  const issues = error instanceof SseSchemaError ? error.issues : undefined;
  return { statusCode, code, message, help, ...(issues && { issues }) };
}

/** The answer to a request that is refused as a whole. */
export function refused(error: unknown): PublishAnswer {
  const fault = faultOf(error);
  const exception =
    error instanceof HttpException
      ? error
      : new HttpException(fault, fault.statusCode, { cause: error });
  return { exception, retryAfter: retryAfterOf(fault, error) };
}

function retryAfterOf({ statusCode }: PublishFault, error?: unknown): number | undefined {
  return error instanceof Refusal
    ? error.retryAfter
    : statusCode === HttpStatus.SERVICE_UNAVAILABLE
      ? RETRY_SECONDS
      : undefined;
}

/** The answer to a request with one event. */
export function answerToOne(result: SendResult): PublishAnswer {
  if (result.status === 'failed') {
    return refused(result.error);
  }
  const { id, duplicate } = result;
  return { status: HttpStatus.OK, body: { id, duplicate }, retryAfter: undefined };
}

/**
 * The answer to a request with a list: 200 when all events are sent, 207 when some are, and else the highest
 * status of theirs, so that 503 tells to send them again.
 */
export function answerToMany(results: readonly SendResult[]): PublishAnswer {
  const all = results.map(resultOf);
  const faults = all.flatMap((result) => (result.status === 'failed' ? [result.error] : []));
  const status =
    faults.length === 0
      ? HttpStatus.OK
      : faults.length < all.length
        ? HttpStatus.MULTI_STATUS
        : Math.max(...faults.map(({ statusCode }) => statusCode));
  const retryAfter = Math.max(0, ...faults.map((fault) => retryAfterOf(fault) ?? 0));
  return { status, body: { results: all }, retryAfter: retryAfter || undefined };
}

function resultOf(result: SendResult): PublishResult {
  if (result.status === 'failed') {
    return { status: 'failed', error: faultOf(result.error) };
  }
  const { id, duplicate } = result;
  return { status: 'sent', id, duplicate };
}
