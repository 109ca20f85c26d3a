import { ForbiddenException } from '@nestjs/common';
import type { Client } from '../delivery/client.js';

/** What a ticket allows. */
export interface SseTicket {
  /** The channels that may be read with it. */
  readonly channels: readonly string[];
  /** Whom it was issued for. */
  readonly client: string;
}

const redeemed = new WeakMap<object, SseTicket>();

/** Notes that a request has come with a ticket. */
export function setTicket(request: object, ticket: SseTicket): void {
  redeemed.set(request, ticket);
}

/**
 * The ticket that a request has redeemed, by `SseTicketGuard` or `SseTickets.redeem()`.
 *
 * @param request the framework's request, as guards, resolvers and handlers get it
 * @returns what the ticket allows; `undefined` for a request without one
 */
export function ticketOf(request: object): SseTicket | undefined {
  return redeemed.get(request);
}

/**
 * Refuses channels that the request's ticket was not issued for. A request without one may read
 * what its guards let it.
 * @throws HttpException 403
 */
export function checkTicketChannels(request: object, names: readonly string[]): void {
  const ticket = redeemed.get(request);
  if (ticket && !names.every((name) => ticket.channels.includes(name))) {
    throw new ForbiddenException('The ticket was issued for another channel.');
  }
}

/**
 * Who is behind a request: whom `client` names, else whom the ticket was issued for.
 * @throws HttpException 403 when these are not the same
 */
export function clientByTicket(request: object, client: Client | undefined): Client | undefined {
  const ticket = redeemed.get(request);
  if (ticket && client !== undefined && client.id !== ticket.client) {
    throw new ForbiddenException('The ticket was issued for another client.');
  }
  return client ?? (ticket && { id: ticket.client, info: undefined });
}
