import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { SseError } from '../channel/sse-error.js';
import { SseTickets } from '../tickets/sse-tickets.js';
import { routeOf } from './route.js';

/**
 * Lets requests with a valid `?ticket=…` of `SseTickets` open a stream, each ticket once. The
 * channels have to be those that the ticket was issued for.
 * @throws HttpException 401 for no ticket, or one that is used, has run out or was never issued;
 * 403 for another channel or client; 503 when Redis cannot be asked
 */
@Injectable()
export class SseTicketGuard implements CanActivate {
  constructor(private readonly tickets: SseTickets) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (routeOf(context.getHandler())?.channels === undefined) {
      // Nobody would compare the channel of the ticket with anything.
      throw new SseError(
        'INVALID_OPTION',
        `SseTicketGuard guards ${context.getClass().name}.${context.getHandler().name}, whose channels ` +
          'it cannot know. Name them in its @SseChannel(), or call SseTickets.redeem() in a guard of ' +
          'yours and compare the channels there.',
      );
    }
    await this.tickets.redeem(context.switchToHttp().getRequest<object>());
    return true;
  }
}
