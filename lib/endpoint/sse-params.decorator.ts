import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { NEVER, type Observable } from 'rxjs';
import type { SseEvent } from '../channel/sse-event.js';
import { lastEventIdOf } from './last-event-id.js';

const eventsOf = new WeakMap<object, Observable<SseEvent>>();

/**
 * Runs a handler while `@SseEvents()` finds the request's events. Forgets them afterwards, since a
 * request lives as long as its stream.
 */
export async function withEvents<R>(
  request: object,
  events$: Observable<SseEvent>,
  handle: () => Promise<R>,
): Promise<R> {
  eventsOf.set(request, events$);
  try {
    return await handle();
  } finally {
    eventsOf.delete(request);
  }
}

/**
 * The events of the endpoint's channels, from this client's position on, as an
 * `Observable<SseEvent>`. The client receives the stream that the handler returns.
 *
 * Resets reach the client whatever the handler does. The end of a run completes this
 * Observable; the client receives it once the handler's own Observable has completed, too.
 */
export const SseEvents = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Observable<SseEvent> =>
    eventsOf.get(context.switchToHttp().getRequest<object>()) ?? NEVER,
);

/**
 * The position this client returns with, as a `string`; `undefined` for a new client.
 * The client chooses it: use it as a position only.
 */
export const LastEventId = createParamDecorator(
  (_data: unknown, context: ExecutionContext): string | undefined =>
    lastEventIdOf(context.switchToHttp().getRequest()),
);
