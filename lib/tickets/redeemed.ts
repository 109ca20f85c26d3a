import { ForbiddenException } from '@nestjs/common';
import type { Client } from '../delivery/client.js';

/** What a ticket allows. */
export interface SseTicket {
  /** The channels that may be read with it. */
  readonly channels: readonly string[];
  /** The client that it was issued for. */
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
 * Refuses channels that the request's ticket was not issued for. For a request without a ticket, its
 * guards decide.
 * @throws HttpException 403
 */
export function checkTicketChannels(request: object, names: readonly string[]): void {
  const ticket = redeemed.get(request);
  if (ticket && !names.every((name) => ticket.channels.includes(name))) {
    throw new ForbiddenException('The ticket was issued for another channel.');
  }
}

/**
 * The client of a request: the one that `client` names, else the ticket's.
 * @throws HttpException 403 when the two differ
 */
export function clientByTicket(request: object, client: Client | undefined): Client | undefined {
  const ticket = redeemed.get(request);
  if (ticket && client !== undefined && client.id !== ticket.client) {
    throw new ForbiddenException('The ticket was issued for another client.');
  }
  return client ?? (ticket && { id: ticket.client, info: undefined });
}
