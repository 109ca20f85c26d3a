import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import { SseError } from '../channel/sse-error.js';
import { SseTickets } from '../tickets/sse-tickets.js';
import { routeOf } from './route.js';

/**
 * Lets requests with a valid `?ticket=…` of `SseTickets` open a stream, each ticket once. The
 * channels have to be those that the ticket was issued for.
 * @throws HttpException 401 for no ticket, or one that is used, has expired or was never issued;
 * 403 for another channel or client; 503 when Redis does not answer
 */
@Injectable()
export class SseTicketGuard implements CanActivate {
  constructor(private readonly tickets: SseTickets) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (routeOf(context.getHandler())?.channels === undefined) {
      throw unknownChannels(`${context.getClass().name}.${context.getHandler().name}`);
    }
    await this.tickets.redeem(context.switchToHttp().getRequest<object>());
    return true;
  }
}

/** The guards of a handler or a controller, as classes or objects. */
export function guardsOf(target: object): readonly unknown[] {
  return (Reflect.getMetadata(GUARDS_METADATA, target) as unknown[] | undefined) ?? [];
}

/** Whether a guard, a class or an object of one, asks for a ticket. */
export function takesTicket(guard: unknown): boolean {
  return (
    guard instanceof SseTicketGuard ||
    (typeof guard === 'function' &&
      (guard === SseTicketGuard || guard.prototype instanceof SseTicketGuard))
  );
}

/** The error for an endpoint whose channels the guard cannot compare with those of a ticket. */
export function unknownChannels(where: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `SseTicketGuard guards ${where}, whose channels it cannot know. Name them in its @SseChannel(), ` +
      'or call SseTickets.redeem() in a guard of yours and compare the channels there.',
  );
}
