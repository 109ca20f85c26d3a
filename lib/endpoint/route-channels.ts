import { BadRequestException, ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import { isObservable, type Observable } from 'rxjs';
import { checkChannelName } from '../channel/channel-name.js';
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
import { Authorization, withoutBlocked, type Decide, type Decision } from './authorization.js';
import { ChannelSet } from './channel-set.js';
import type { Exchange } from './exchange.js';
import { fill, noChannel } from './filled-template.js';
import type { FrameworkRequest } from './framework-request.js';
import { startOf } from './last-event-id.js';
import type { ChannelResolver, Route } from './route.js';
import type { RequestedChannels } from './requested-channels.js';
import { requestedRun } from './run-request.js';

/** The request, its controller, and for whom it counts. */
interface Asking {
  readonly exchange: Exchange;
  readonly controller: object | undefined;
  readonly counted: CountedAs;
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
    private readonly runs: Runs,
  ) {}

  /**
   * Returns a promise only if the route asks the application.
   *
   * @throws SseError `INVALID_CHANNEL`; HttpException 400 for too many channels, 403 when the client may
   * read none of them, 404 for none; and whatever the resolver and `authorize` of the route throw
   */
  of(route: Route, asking: Asking): RequestedChannels | Promise<RequestedChannels> {
    const { channels } = route;
    if (channels === undefined) {
      return NOTHING;
    }
    return typeof channels === 'string'
      ? this.ofNames(fill(channels, asking.exchange.request), route, asking)
      : this.ofResolver(channels, route, asking);
  }

  private async ofResolver(
    resolve: ChannelResolver,
    route: Route,
    asking: Asking,
  ): Promise<RequestedChannels> {
    const answer: unknown = await resolve.call(asking.controller, asking.exchange.request);
    return isObservable(answer) && !route.options.run
      ? this.ofSet(answer, route, asking)
      : this.ofNames(answer, route, asking);
  }

  private ofNames(
    answer: unknown,
    route: Route,
    asking: Asking,
  ): RequestedChannels | Promise<RequestedChannels> {
    const { exchange, counted } = asking;
    const { request } = exchange;
    const names = this.checked(answer, route, request);
    if (names.length === 0) {
      throw noChannel();
    }
    const decide = this.decider(route, asking);
    const finish = (decision: Decision): RequestedChannels | Promise<RequestedChannels> => {
      const requested = this.requested(route, withoutBlocked(decision, this.blocked(counted)));
      return route.options.run ? this.ofRun(requested, route, request) : requested;
    };
    return decide
      ? decide(names, (work) => exchange.whileHere(work)).then(finish)
      : finish(allOf(names));
  }

  private ofRun(
    requested: RequestedChannels,
    { where }: Route,
    request: FrameworkRequest,
  ): Promise<RequestedChannels> {
    const start = startOf(request, this.settings.limits.lastEventIdLength);
    return requestedRun(requested, start, this.runs, where);
  }

  /** Whether a client is kept from a channel for a time. */
  private blocked(counted: CountedAs): (channel: string) => boolean {
    return (channel) => this.delivery.revocations.isBlocked(counted, channel);
  }

  /** The first channels of a set that changes. */
  private async ofSet(
    source: Observable<unknown>,
    route: Route,
    asking: Asking,
  ): Promise<RequestedChannels> {
    const { exchange, counted } = asking;
    const { request } = exchange;
    const set: ChannelSet = new ChannelSet({
      where: route.where,
      delivery: this.delivery,
      presence: route.options.presence,
      connectionsPerChannel: this.settings.limits.connectionsPerChannel,
      namesOf: (emitted) => this.checked(emitted, route, request, set),
      requestOf: (name) => this.requestOf(route, name),
      decide: this.decider(route, asking),
      isBlocked: this.blocked(counted),
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

  private decider(
    { options, where }: Route,
    { exchange: { request }, controller }: Asking,
  ): Decide | undefined {
    const authorize = options.authorize?.bind(controller) ?? this.settings.authorize;
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

function isToken(source: SourceOption | undefined): source is ProviderToken {
  return typeof source === 'function' || typeof source === 'symbol';
}
