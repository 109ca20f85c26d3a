import {
  BadRequestException,
  ForbiddenException,
  Inject,
  Injectable,
  NotFoundException,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import { channelName, checkChannelName, placeholdersOf } from '../channel/channel-name.js';
import type { ChannelSource } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import { Delivery } from '../delivery/delivery.js';
import type { ChannelRequest } from '../delivery/subscription.js';
import { Presence } from '../presence/presence.js';
import type { ProviderToken, SourceOption } from '../setup/channel-options.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { SseSources } from '../setup/sse-sources.js';
import { checkTicketChannels } from '../tickets/redeemed.js';
import { channelNamesOf } from './access.js';
import { Authorization } from './authorization.js';
import type { Exchange, FrameworkRequest } from './exchange.js';
import type { Route } from './route.js';

/** What a request may read. */
export interface RequestedChannels {
  readonly channels: readonly ChannelRequest[];
  /** The names of those that the application refuses to its client. */
  readonly denied: readonly string[];
}

/** Finds the channels of a request, and the sources that feed them. */
@Injectable()
export class RouteChannels {
  private readonly sourceOf = new WeakMap<Route, ChannelSource>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly sources: SseSources,
    private readonly moduleRef: ModuleRef,
    private readonly delivery: Delivery,
    private readonly presence: Presence,
  ) {}

  /**
   * @throws SseError `INVALID_CHANNEL`; HttpException 400 for too many channels, 403 when the client may
   * read none of them, 404 for none; and whatever the resolver and `authorize` of the route throw
   */
  async of(route: Route, exchange: Exchange): Promise<RequestedChannels> {
    const { request } = exchange;
    const names = await this.namesOf(route, request);
    checkTicketChannels(request, names);
    if (names.length === 0) {
      return { channels: [], denied: [] };
    }
    const { allowed, denied } = await this.authorization(route, exchange).decide(names);
    if (allowed.length === 0) {
      throw new ForbiddenException('The client may read none of the channels of this request.');
    }
    const source = this.source(route);
    // A resolver may answer with other channels when the client returns.
    const isOfSet = typeof route.channels === 'function';
    return { channels: allowed.map((name) => ({ source, name, isOfSet })), denied };
  }

  /** Checks the source of a route. @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED` */
  check(route: Route): void {
    if (route.channels !== undefined) {
      const source = this.source(route);
      if (route.options.presence) {
        this.presence.countIn(source);
      }
    }
  }

  private authorization({ options, where }: Route, exchange: Exchange): Authorization {
    const authorize = options.authorize ?? this.settings.authorize;
    return new Authorization(authorize, exchange.request, where, this.delivery.guard, (work) =>
      exchange.whileHere(work),
    );
  }

  /** The source of a route's channels; the same for every request. */
  private source(route: Route): ChannelSource {
    let source = this.sourceOf.get(route);
    if (!source) {
      const { source: option } = route.options;
      const given = isToken(option) ? this.provided(option) : option;
      source = this.sources.sourceFor({ ...route.options, ...(given && { source: given }) });
      this.sourceOf.set(route, source);
    }
    return source;
  }

  private provided(token: ProviderToken): ChannelSource {
    try {
      return this.moduleRef.get<ChannelSource>(token, { strict: false });
    } catch (cause) {
      const name = typeof token === 'symbol' ? String(token) : `the class ${token.name}`;
      throw new SseError(
        'INVALID_OPTION',
        cause instanceof UnknownElementException
          ? `\`source\` is ${name}, which no module provides. Add it to the providers of a module, or give an object.`
          : `\`source\` is ${name}, which is not one object for all requests. Provide it with the default scope.`,
        { cause },
      );
    }
  }

  private async namesOf(
    { channels, where }: Route,
    request: FrameworkRequest,
  ): Promise<readonly string[]> {
    if (channels === undefined) {
      return [];
    }
    if (typeof channels === 'string') {
      // Nest keeps the parameters of the host apart from those of the path.
      return [fill(channels, { ...request.hosts, ...request.params })];
    }
    const { channelsPerConnection } = this.settings.limits;
    const names = channelNamesOf(await channels(request), where, channelsPerConnection);
    names.forEach(checkChannelName);
    if (names.length === 0) {
      throw new NotFoundException('There is no channel for this request.');
    }
    if (names.length > channelsPerConnection) {
      throw new BadRequestException(
        `This request asks for more channels than one connection may have: at most ${channelsPerConnection}.`,
      );
    }
    return names;
  }
}

function isToken(source: SourceOption | undefined): source is ProviderToken {
  return typeof source === 'function' || typeof source === 'symbol';
}

function fill(template: string, params: Record<string, string>): string {
  const placeholders = placeholdersOf(template);
  // The start has checked that the path has all of them, but one may be optional there.
  if (placeholders.some((placeholder) => params[placeholder] === undefined)) {
    throw new NotFoundException('There is no channel for this request.');
  }
  return placeholders.length === 0 ? template : channelName(template, params);
}
