import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { NEVER, type Observable } from 'rxjs';
import type { SseEvent } from '../channel/sse-event.js';
import { lastEventIdOf } from './last-event-id.js';

const eventsOf = new WeakMap<object, Observable<SseEvent>>();

/** Hands a request's events to its handler. */
export function setEvents(request: object, events$: Observable<SseEvent>): void {
  eventsOf.set(request, events$);
}

/**
 * The events of the endpoint's channels, from this client's position on, as an
 * `Observable<SseEvent>`. The handler returns what the client is to receive. Resets and
 * the end of a run reach the client whatever the handler does.
 * @publicApi
 */
export const SseEvents = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Observable<SseEvent> =>
    eventsOf.get(context.switchToHttp().getRequest<object>()) ?? NEVER,
);

/**
 * The position this client returns with, as a `string`; `undefined` for a new client.
 * It is what the client says: use it as a position only.
 * @publicApi
 */
export const LastEventId = createParamDecorator(
  (_data: unknown, context: ExecutionContext): string | undefined =>
    lastEventIdOf(context.switchToHttp().getRequest()),
);
