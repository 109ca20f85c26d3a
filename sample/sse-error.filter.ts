import { Catch, HttpStatus } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { SseError, type SseErrorCode } from '../lib/index.js';

const STATUS: Partial<Record<SseErrorCode, HttpStatus>> = {
  INVALID_CHANNEL: HttpStatus.BAD_REQUEST,
  INVALID_EVENT: HttpStatus.BAD_REQUEST,
  EVENT_TOO_LARGE: HttpStatus.PAYLOAD_TOO_LARGE,
  RUN_ACTIVE: HttpStatus.CONFLICT,
  LIMIT_REACHED: HttpStatus.TOO_MANY_REQUESTS,
  UNAVAILABLE: HttpStatus.SERVICE_UNAVAILABLE,
  CLOSED: HttpStatus.SERVICE_UNAVAILABLE,
};

/** Answers what the module refuses with a status of its own, where it is the request's fault. */
@Catch(SseError)
export class SseErrorFilter implements ExceptionFilter<SseError> {
  catch(error: SseError, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const statusCode = STATUS[error.code] ?? HttpStatus.INTERNAL_SERVER_ERROR;
    response.status(statusCode).json({ statusCode, code: error.code, message: error.message });
  }
}
