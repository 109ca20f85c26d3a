import { BadRequestException, ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { isObservable, type Observable } from 'rxjs';
import { checkChannelName } from '../channel/channel-name.js';
import { SseError } from '../channel/sse-error.js';
import type { CountedAs } from '../delivery/client.js';
import { Delivery } from '../delivery/delivery.js';
import type { ChannelRequest } from '../delivery/channel-request.js';
import { Presence } from '../presence/presence.js';
import { Runs } from '../runs/runs.js';
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
import {
  checkDecider,
  checkStates,
  requestedBy,
  type RequestedChannels,
} from './requested-channels.js';
import type { ChannelResolver, Route } from './route.js';
import { RouteSources } from './route-sources.js';
import type { GrantedChannels } from './granted-channels.js';
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
  private readonly sources: RouteSources;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    sources: SseSources,
    moduleRef: ModuleRef,
    private readonly delivery: Delivery,
    private readonly presence: Presence,
    private readonly runs: Runs,
  ) {
    this.sources = new RouteSources(sources, moduleRef);
  }

  /**
   * Returns a promise only if the route asks the application.
   *
   * @throws SseError `INVALID_CHANNEL`; HttpException 400 for too many channels, 403 when the client may
   * read none of them, 404 for none; and whatever the resolver and `authorize` of the route throw
   */
  of(route: Route, asking: Asking): GrantedChannels | Promise<GrantedChannels> {
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
  ): Promise<GrantedChannels> {
    const requested = requestedBy(resolve);
    if (requested) {
      return this.ofWishes(requested, route, asking);
    }
    const answer: unknown = await resolve.call(asking.controller, asking.exchange.request);
    return isObservable(answer) && !route.options.run
      ? this.ofSet(answer, route, asking)
      : this.ofNames(answer, route, asking);
  }

  /** The channels that the request has named by itself. */
  private async ofWishes(
    requested: RequestedChannels,
    route: Route,
    asking: Asking,
  ): Promise<GrantedChannels> {
    const { exchange, counted } = asking;
    const { request } = exchange;
    const { names, hasOwnIds, lastEventId, from } = requested.of(
      request,
      this.settings.limits.lastEventIdLength,
    );
    checkTicketChannels(request, names);
    const asked = names.filter((name) => requested.mayName(name));
    const decide = this.decider(route, asking);
    const { allowed } = decide
      ? await decide(asked, (work) => exchange.whileHere(work))
      : allOf(asked);
    const mayRead = new Set(allowed);
    const denied = names.filter((name) => !mayRead.has(name));
    const decision = withoutBlocked({ allowed, denied }, this.blocked(counted));
    const granted = this.granted(route, decision, hasOwnIds);
    return { ...granted, isOwnChoice: true, from, ...(lastEventId && { start: lastEventId }) };
  }

  private ofNames(
    answer: unknown,
    route: Route,
    asking: Asking,
  ): GrantedChannels | Promise<GrantedChannels> {
    const { exchange, counted } = asking;
    const { request } = exchange;
    const names = this.checked(answer, route, request);
    if (names.length === 0) {
      throw noChannel();
    }
    const decide = this.decider(route, asking);
    const finish = (decision: Decision): GrantedChannels | Promise<GrantedChannels> => {
      const requested = this.granted(route, withoutBlocked(decision, this.blocked(counted)));
      return route.options.run ? this.ofRun(requested, route, request) : requested;
    };
    return decide
      ? decide(names, (work) => exchange.whileHere(work)).then(finish)
      : finish(allOf(names));
  }

  private ofRun(
    requested: GrantedChannels,
    { where }: Route,
    request: FrameworkRequest,
  ): Promise<GrantedChannels> {
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
  ): Promise<GrantedChannels> {
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
      return { ...this.granted(route, decision), set };
    } catch (error) {
      set.close();
      throw error;
    }
  }

  private granted(route: Route, { allowed, denied }: Decision, hasOwnIds = false): GrantedChannels {
    if (allowed.length === 0 && denied.length > 0) {
      throw new ForbiddenException('The client may read none of the channels of this request.');
    }
    return { channels: allowed.map((name) => this.requestOf(route, name, hasOwnIds)), denied };
  }

  private requestOf(route: Route, name: string, hasOwnIds = false): ChannelRequest {
    // A resolver may answer with other channels when the client returns.
    const isOfSet = typeof route.channels === 'function';
    return { source: this.sources.of(route, name), name, isOfSet, hasOwnIds };
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
    checkDecider(route, this.settings);
    checkStates(route);
    if (route.channels !== undefined) {
      for (const source of this.sources.allOf(route)) {
        if (route.options.presence) {
          this.presence.countIn(source);
        }
        if (route.options.run) {
          this.runs.followFrom(source);
        }
      }
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

const NOTHING: GrantedChannels = { channels: [], denied: [] };

function allOf(names: readonly string[]): Decision {
  return { allowed: names, denied: [] };
}
