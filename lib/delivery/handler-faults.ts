import { SseError } from '../channel/sse-error.js';

export function endlessValue(): SseError {
  return new SseError(
    'INVALID_EVENT',
    'A value of the handler emits another value while it is turned into JSON, and that value ' +
      'does the same, without end. Emit from the Observable, not from a toJSON() or a getter.',
  );
}

export function noMessage(): SseError {
  return new SseError(
    'INVALID_EVENT',
    'It emitted an object that has no `data`, and is no message of `type`, `id`, `retry` and `comment` ' +
      'alone; clients do not get it. To send the object itself, emit { data: object }.',
  );
}

export function tooMuchAtOnce(length: number, limit: number): SseError {
  return new SseError(
    'LIMIT_REACHED',
    `The handler has emitted ${length} characters before its stream was open; at most ` +
      `${limit} can wait. Emit them in smaller parts, or return an async iterable.`,
  );
}

export function clientDoesNotRead(length: number): SseError {
  return new SseError(
    'LIMIT_REACHED',
    `A client does not read and ${length} characters wait for it; the library closes its ` +
      'connection. It may return with its Last-Event-ID.',
  );
}
