import { isObservable, type Observable } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import { kindOf } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { HandlerWriter } from '../delivery/handler-writer.js';
import { iterableStream } from '../delivery/iterable-stream.js';

/** The value that a handler has returned, on its way through Nest to our interceptor. */
export class HandlerResult {
  constructor(
    readonly value: unknown,
    /** The object whose method the handler is. */
    readonly controller: unknown,
  ) {}
}

/**
 * The Observable of a handler; `undefined` when it has returned nothing.
 * @throws SseError `INVALID_OPTION`
 */
export function streamOf(
  { value }: HandlerResult,
  request: { readonly writer: HandlerWriter; readonly route: { readonly where: string } },
  guard: Guard,
): Observable<unknown> | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (isObservable(value)) {
    return value;
  }
  if (typeof value === 'object' && Symbol.asyncIterator in value) {
    return iterableStream(value as AsyncIterable<unknown>, request.writer, guard);
  }
  throw new SseError(
    'INVALID_OPTION',
    `The handler ${request.route.where} returned ${kindOf(value)}${classOf(value)}. Return an Observable ` +
      'or an async iterable, or nothing for the channel as it is.',
  );
}

/** The class of an object, if it has one of its own: it tells which object it is. */
function classOf(value: object | string | number | bigint | boolean | symbol): string {
  const name = typeof value === 'object' ? value.constructor?.name : undefined;
  return name && name !== 'Object' && name !== 'Array' ? ` of the class ${name}` : '';
}
