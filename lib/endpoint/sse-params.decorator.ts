import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { NEVER, type Observable } from 'rxjs';
import type { SseEvent } from '../channel/sse-event.js';
import type { FrameworkRequest } from './framework-request.js';
import type { GrantedChannels } from './granted-channels.js';
import { lastEventIdOf, ownPositionOf } from './last-event-id.js';

/** What the parameters of a handler are. */
interface Params {
  readonly events$: Observable<SseEvent>;
  readonly requested: GrantedChannels;
}

const paramsOf = new WeakMap<object, Params>();

/**
 * Runs a handler while its parameters find what is for them. Forgets it afterwards, since a request
 * lives as long as its stream.
 */
export async function withParams<R>(
  request: object,
  events$: Observable<SseEvent>,
  requested: GrantedChannels,
  handle: () => Promise<R>,
): Promise<R> {
  paramsOf.set(request, { events$, requested });
  try {
    return await handle();
  } finally {
    paramsOf.delete(request);
  }
}

/** What `@SseEvents()` calls, by which its parameters are known. */
export function eventsOf(_data: unknown, context: ExecutionContext): Observable<SseEvent> {
  return paramsOf.get(context.switchToHttp().getRequest<object>())?.events$ ?? NEVER;
}

/**
 * The events of the endpoint's channels, from this client's position on, as an
 * `Observable<SseEvent>`. The client receives the stream that the handler returns.
 *
 * Resets reach the client whatever the handler does. The end of a run completes this
 * Observable; the client receives it once the handler's own Observable has completed, too.
 */
export const SseEvents = createParamDecorator(eventsOf);

/**
 * The position this client returns with, as a `string`; `undefined` for a new client. With
 * `requestedChannels()` it is that of the body as well, and has what `from` and `earliest` name.
 * The client chooses it: use it as a position only.
 */
export const LastEventId = createParamDecorator(
  (_data: unknown, context: ExecutionContext): string | undefined => {
    const request = context.switchToHttp().getRequest<FrameworkRequest>();
    const params = paramsOf.get(request);
    return params ? ownPositionOf(request, params.requested) : lastEventIdOf(request);
  },
);
