import {
  BadRequestException,
  UnsupportedMediaTypeException,
  createParamDecorator,
} from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** The body of the request, JSON or text: what the sample sends on. */
export const Content = createParamDecorator((_: unknown, context: ExecutionContext): unknown => {
  const request = context.switchToHttp().getRequest<Request>();
  const body: unknown = request.body;
  if (body !== undefined) return body;

  const type = request.headers['content-type'];
  const empty =
    request.headers['transfer-encoding'] === undefined &&
    !Number(request.headers['content-length']);
  if (empty) throw new BadRequestException('The body is empty. Send JSON or text.');
  throw new UnsupportedMediaTypeException(
    `The body is ${type ?? 'of no stated type'}. Send JSON with content-type: application/json, or text with content-type: text/plain.`,
  );
});
