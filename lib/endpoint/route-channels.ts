import {
  BadRequestException,
  ForbiddenException,
  Inject,
  Injectable,
  NotFoundException,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import { isObservable, type Observable } from 'rxjs';
import { channelName, checkChannelName, placeholdersOf } from '../channel/channel-name.js';
import type { ChannelSource } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import type { CountedAs } from '../delivery/client.js';
import { Delivery } from '../delivery/delivery.js';
import type { ChannelRequest } from '../delivery/subscription.js';
import { Presence } from '../presence/presence.js';
import { Runs } from '../runs/runs.js';
import type { ProviderToken, SourceOption } from '../setup/channel-options.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { SseSources } from '../setup/sse-sources.js';
import { checkTicketChannels } from '../tickets/redeemed.js';
import { channelNamesOf } from './access.js';
import {
  Authorization,
  withoutBlocked,
  type Decide,
  type Decision,
  type WhileHere,
} from './authorization.js';
import { ChannelSet } from './channel-set.js';
import type { Exchange } from './exchange.js';
import type { FrameworkRequest } from './framework-request.js';
import { startOf } from './last-event-id.js';
import type { Route } from './route.js';
import type { RequestedChannels } from './requested-channels.js';
import { requestedRun } from './run-request.js';

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
    private readonly runs: Runs,
  ) {}

  /**
   * @throws SseError `INVALID_CHANNEL`; HttpException 400 for too many channels, 403 when the client may
   * read none of them, 404 for none; and whatever the resolver and `authorize` of the route throw
   */
  async of(
    route: Route,
    { exchange, counted }: { readonly exchange: Exchange; readonly counted: CountedAs },
  ): Promise<RequestedChannels> {
    const { request } = exchange;
    if (route.channels === undefined) {
      return NOTHING;
    }
    const answer =
      typeof route.channels === 'string'
        ? // Nest keeps the parameters of the host apart from those of the path.
          fill(route.channels, { ...request.hosts, ...request.params })
        : await route.channels(request);
    const isBlocked = (name: string) => this.delivery.revocations.isBlocked(counted, name);
    if (isObservable(answer) && !route.options.run) {
      return this.ofSet(answer, route, exchange, isBlocked);
    }
    const names = this.checked(answer, route, request);
    if (names.length === 0) {
      throw noChannel();
    }
    const whileHere: WhileHere = (work) => exchange.whileHere(work);
    const decide = this.decider(route, request);
    const decision = decide ? await decide(names, whileHere) : allOf(names);
    const requested = this.requested(route, withoutBlocked(decision, isBlocked));
    return route.options.run ? this.ofRun(requested, route, request) : requested;
  }

  private ofRun(
    requested: RequestedChannels,
    { where }: Route,
    request: FrameworkRequest,
  ): Promise<RequestedChannels> {
    const start = startOf(request, this.settings.limits.lastEventIdLength);
    return requestedRun(requested, start, this.runs, where);
  }

  /** The first channels of a set that changes. */
  private async ofSet(
    source: Observable<unknown>,
    route: Route,
    exchange: Exchange,
    isBlocked: (channel: string) => boolean,
  ): Promise<RequestedChannels> {
    const { request } = exchange;
    const set: ChannelSet = new ChannelSet({
      where: route.where,
      delivery: this.delivery,
      presence: route.options.presence,
      connectionsPerChannel: this.settings.limits.connectionsPerChannel,
      namesOf: (emitted) => this.checked(emitted, route, request, set),
      requestOf: (name) => this.requestOf(route, name),
      decide: this.decider(route, request),
      isBlocked,
    });
    exchange.onceClosed(() => set.close());
    try {
      const decision = await set.begun(source);
      if (!decision) {
        throw noChannel();
      }
      return { ...this.requested(route, decision), set };
    } catch (error) {
      set.close();
      throw error;
    }
  }

  private requested(route: Route, { allowed, denied }: Decision): RequestedChannels {
    if (allowed.length === 0 && denied.length > 0) {
      throw new ForbiddenException('The client may read none of the channels of this request.');
    }
    return { channels: allowed.map((name) => this.requestOf(route, name)), denied };
  }

  private requestOf(route: Route, name: string): ChannelRequest {
    // A resolver may answer with other channels when the client returns.
    return { source: this.source(route), name, isOfSet: typeof route.channels === 'function' };
  }

  private decider({ options, where }: Route, request: FrameworkRequest): Decide | undefined {
    const authorize = options.authorize ?? this.settings.authorize;
    return (
      authorize &&
      ((names, whileHere) => new Authorization(authorize, request, where, whileHere).decide(names))
    );
  }

  /** Checks the source of a route. @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED` */
  check(route: Route): void {
    if (route.channels !== undefined) {
      const source = this.source(route);
      if (route.options.presence) {
        this.presence.countIn(source);
      }
      if (route.options.run) {
        this.runs.followFrom(source);
      }
    }
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

  /**
   * The names that a route's template or resolver gives, or the Observable of a set.
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`; HttpException 400, 403
   */
  private checked(
    answer: unknown,
    { where }: Route,
    request: FrameworkRequest,
    set?: ChannelSet,
  ): readonly string[] {
    const { channelsPerConnection: most } = this.settings.limits;
    const names = channelNamesOf(answer, where, most, set !== undefined);
    names.forEach(checkChannelName);
    if (names.length > most) {
      throw set?.isOpen
        ? new SseError(
            'INVALID_OPTION',
            `The Observable emitted more than ${most} channels. Let it emit fewer, or raise ` +
              '`limits.channelsPerConnection`.',
          )
        : new BadRequestException(
            `This request asks for more channels than one connection may have: at most ${most}.`,
          );
    }
    checkTicketChannels(request, names);
    return names;
  }
}

const NOTHING: RequestedChannels = { channels: [], denied: [] };

function allOf(names: readonly string[]): Decision {
  return { allowed: names, denied: [] };
}

function noChannel(): NotFoundException {
  return new NotFoundException('There is no channel for this request.');
}

function isToken(source: SourceOption | undefined): source is ProviderToken {
  return typeof source === 'function' || typeof source === 'symbol';
}

function fill(template: string, params: Record<string, string>): string {
  const placeholders = placeholdersOf(template);
  // The start has checked that the path has all of them, but one may be optional there.
  if (placeholders.some((placeholder) => params[placeholder] === undefined)) {
    throw noChannel();
  }
  return placeholders.length === 0 ? template : channelName(template, params);
}
