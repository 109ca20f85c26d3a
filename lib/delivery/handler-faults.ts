import { SseError } from '../channel/sse-error.js';

/** What a handler may emit that cannot be written, or not yet. */

export function endlessValue(): SseError {
  return new SseError(
    'INVALID_EVENT',
    'A value of the handler emits another one while it is written as JSON, and that one does as ' +
      'well. Emit in an Observable, not in a toJSON() or a getter.',
  );
}

export function noMessage(): SseError {
  return new SseError(
    'INVALID_EVENT',
    'An object that it emitted has none of `data`, `type`, `id`, `retry` and `comment`, and ' +
      'is left out. To send the object itself, emit { data: object }.',
  );
}

export function tooMuchAtOnce(length: number, limit: number): SseError {
  return new SseError(
    'LIMIT_REACHED',
    `The handler has emitted ${length} characters before its stream was open; at most ` +
      `${limit} can wait. Emit them bit by bit, or return an async iterable.`,
  );
}

export function clientDoesNotRead(length: number): SseError {
  return new SseError(
    'LIMIT_REACHED',
    `A client does not read and ${length} characters wait for it; its connection is ` +
      'destroyed. It may return with its Last-Event-ID.',
  );
}
