import {
  Inject,
  Injectable,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { checkChannelName } from '../channel/channel-name.js';
import { MAX_CLIENT_LENGTH } from '../delivery/client.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { SseSources } from '../setup/sse-sources.js';
import { option, whole } from '../sources/options/option-kinds.js';
import { readOptions, type TableOf } from '../sources/options/option-table.js';
import { setTicket, type SseTicket } from './redeemed.js';
import { RedisTicketStore } from './redis-ticket-store.js';
import { MemoryTicketStore, type TicketStore } from './ticket-store.js';

/** The channels and the client of a new ticket. */
export interface TicketOptions {
  /** The channel that may be read with it, or several. */
  readonly channel: string | readonly string[];
  /** The client that may use it, such as a user's id. */
  readonly client: string;
  /** How long it may be used, in milliseconds, at most 300,000. Default: 30,000. */
  readonly ttl?: number | undefined;
}

const MAX_TTL_MS = 300_000;
/** How many channels one ticket may name. */
const MAX_CHANNELS = 1_000;

/** The options of `issue()`. */
export const TICKET_OPTIONS = {
  channel: option(
    (value): value is string | readonly string[] =>
      typeof value === 'string' ||
      (Array.isArray(value) && value.length > 0 && value.length <= MAX_CHANNELS),
    `a channel's name, or an array of 1 to ${MAX_CHANNELS}`,
    undefined,
  ),
  client: option(
    (value): value is string =>
      typeof value === 'string' && value !== '' && value.length <= MAX_CLIENT_LENGTH,
    `a string of 1 to ${MAX_CLIENT_LENGTH} characters`,
    undefined,
  ),
  ttl: whole(30_000, { unit: 'ms', to: MAX_TTL_MS }),
} satisfies TableOf<TicketOptions>;

/** 256 random bits, which nobody guesses, as base64url. */
const TICKET_BYTES = 32;
const TICKET_TEXT = /^[\w-]{43}$/;

/**
 * One-time tickets in the URL of a stream, as an EventSource cannot send headers. A ticket opens one
 * stream, of its channels and for its client, within a short time. The service keeps tickets in Redis
 * if the module's option `redis` is set, else in this process.
 */
@Injectable()
export class SseTickets {
  private readonly store: TicketStore;
  private isWarned = false;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly sources: SseSources,
  ) {
    const { redis } = sources;
    this.store = redis
      ? new RedisTicketStore(redis, settings.redisStreams.prefix, sources.log)
      : new MemoryTicketStore();
  }

  /**
   * Issues a ticket, for a user whom you know by then.
   *
   * @returns the ticket, 43 characters that a URL takes as they are. It is a secret: do not log it
   * @throws SseError `INVALID_OPTION`, `INVALID_CHANNEL`, `UNAVAILABLE` when Redis cannot be
   * reached, `LIMIT_REACHED` when this process keeps 100,000
   */
  async issue(options: TicketOptions): Promise<string> {
    const of = 'SseTickets.issue(): ';
    const { channel, client, ttl } = readOptions(TICKET_OPTIONS, options, '', of);
    // Only `undefined` has no check of its own.
    TICKET_OPTIONS.channel.read(channel ?? null, 'channel', of);
    TICKET_OPTIONS.client.read(client ?? null, 'client', of);
    const channels = [channel as string | readonly string[]].flat();
    channels.forEach(checkChannelName);
    this.warnOfInstances();
    const ticket = randomBytes(TICKET_BYTES).toString('base64url');
    await this.store.put(digestOf(ticket), JSON.stringify({ channels, client }), ttl);
    return ticket;
  }

  /**
   * Redeems the ticket of a request, `?ticket=…`, for a guard of yours. From then on the request can
   * only open streams of the ticket's channels, and counts as one of its client. An error does not tell
   * the reason: used, expired and invented tickets look the same.
   *
   * @param request the framework's request
   * @param expected the request's client, if you know it otherwise
   * @throws HttpException 401 without a valid ticket of this client; 503 when Redis does not answer
   */
  async redeem(request: object, expected?: { readonly client: string }): Promise<SseTicket> {
    const text = (request as { query?: { ticket?: unknown } | null }).query?.ticket;
    // Whatever has another form was not issued, and is not worth a question.
    const isTicket = typeof text === 'string' && TICKET_TEXT.test(text);
    const ticket = isTicket ? ticketIn(await this.take(text)) : undefined;
    if (!ticket || (expected !== undefined && expected.client !== ticket.client)) {
      throw new UnauthorizedException('The stream needs a valid ticket. Ask for a new one.');
    }
    setTicket(request, ticket);
    return ticket;
  }

  private async take(ticket: string): Promise<string | undefined> {
    try {
      return await this.store.take(digestOf(ticket));
    } catch (cause) {
      throw new ServiceUnavailableException('Tickets cannot be checked at the moment.', { cause });
    }
  }

  private warnOfInstances(): void {
    if (!this.isWarned && !this.sources.redis && this.settings.broker !== 'memory') {
      this.isWarned = true;
      this.sources.log.warn(
        'SseTickets keeps tickets in this process, as `redis` is not set: other instances refuse ' +
          'them. Set it: SseModule.forRoot({ redis: … }).',
      );
    }
  }
}

/** The store's name for a ticket, which is useless to anybody who reads the store. */
function digestOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url');
}

/** Other programs may write to the same Redis. */
function ticketIn(content: string | undefined): SseTicket | undefined {
  try {
    const { channels, client } = JSON.parse(content ?? '{}') as Partial<SseTicket>;
    return Array.isArray(channels) && typeof client === 'string' ? { channels, client } : undefined;
  } catch {
    return undefined;
  }
}
