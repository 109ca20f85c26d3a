import type { INestApplicationContext } from '@nestjs/common';
import { HOST_METADATA, HTTP_CODE_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig } from '@nestjs/core';
import { placeholdersOf } from '../channel/template.js';
import { SseError } from '../channel/sse-error.js';
import type { Endpoint } from '../endpoint/other-interceptors.js';
import { requestedBy, type RequestedChannels } from '../endpoint/requested-channels.js';
import { routeOf, type ChannelResolver } from '../endpoint/route.js';
import { SseRoutes } from '../endpoint/sse-routes.js';
import { guardsOf, takesTicket } from '../endpoint/sse-ticket.guard.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';

/** The facts about an endpoint that a document can tell before any request. */
export interface EndpointFacts {
  /** A name or template, a resolver, or nothing for a handler that brings its own stream. */
  readonly channels: string | ChannelResolver | undefined;
  readonly placeholders: readonly string[];
  /** Which channels a request may name, where it names them by itself. */
  readonly requested: Pick<RequestedChannels, 'limit' | 'only'> | undefined;
  /** The types of the events, if the channels have a definition. */
  readonly definition: ChannelDefinition | undefined;
  /** The text that ends a run, if one can end. */
  readonly done: string | undefined;
  /** The hosts that the controller answers for, as they are written. */
  readonly hosts: readonly string[];
  readonly success: number;
  /** Whether a run may have ended, so that a client need not return. */
  readonly canEnd: boolean;
  /** Whether a parameter of the template may be missing in the path or the host. */
  readonly isOptional: boolean;
  /** Whether a guard decides about the request. */
  readonly isGuarded: boolean;
  /** Whether one of them asks for a ticket. */
  readonly takesTicket: boolean;
  /** Whether the application decides about each channel. */
  readonly authorizes: boolean;
  /** Whether the permission of a request may have ended. */
  readonly expires: boolean;
  /** Whether the streams of one client are counted. */
  readonly isLimited: boolean;
  /** Whether a client learns its position from an event, `sse:open`. */
  readonly opensByEvent: boolean;
  /** Whether a client receives the state of a channel before the events that change it. */
  readonly bringsState: boolean;
}

/**
 * The facts of all endpoints, by their handlers.
 * @throws SseError `NOT_CONFIGURED` when the application has no SseModule
 */
export function factsOf(app: INestApplicationContext): ReadonlyMap<object, EndpointFacts> {
  const { routes, settings } = partsOf(app);
  const ofAll = globalGuardsOf(app);
  const facts = new Map<object, EndpointFacts>();
  for (const endpoint of routes.endpoints) {
    const { handler } = endpoint;
    const more = endpointFacts(endpoint, settings, ofAll);
    const known = facts.get(handler);
    // A handler that several controllers inherit: what holds for one of them may hold.
    facts.set(handler, known ? { ...more, ...either(known, more) } : more);
  }
  return facts;
}

/** The guards of every request. */
export function globalGuardsOf(app: INestApplicationContext): readonly unknown[] {
  const config = app.get(ApplicationConfig, { strict: false });
  return [...config.getGlobalGuards(), ...config.getGlobalRequestGuards()];
}

function partsOf(app: INestApplicationContext): { routes: SseRoutes; settings: SseSettings } {
  try {
    return {
      routes: app.get(SseRoutes, { strict: false }),
      settings: app.get<SseSettings>(SSE_SETTINGS, { strict: false }),
    };
  } catch (cause) {
    throw new SseError(
      'NOT_CONFIGURED',
      'describeSseChannels() is given an application without SseModule. ' +
        'Import SseModule.forRoot() in its root module.',
      { cause },
    );
  }
}

function endpointFacts(
  { controller, handler }: Endpoint,
  settings: SseSettings,
  guardsOfAll: readonly unknown[],
): EndpointFacts {
  const { channels, options, definition } = routeOf(handler)!;
  const { source, doneSignal = settings.doneSignal, expires } = options;
  const guards = [...guardsOfAll, ...guardsOf(handler), ...guardsOf(controller)];
  const hosts = strings(Reflect.getMetadata(HOST_METADATA, controller));
  const paths = [handler, controller].flatMap((target) =>
    strings(Reflect.getMetadata(PATH_METADATA, target)),
  );
  // These end by the done signal only, all others also by `complete()`, or as they like.
  const canEnd = !(doneSignal === false && (source === 'cache' || source === 'postgres'));
  return {
    channels,
    requested: requestedBy(channels),
    definition,
    done: canEnd ? doneSignal || '[DONE]' : undefined,
    placeholders: typeof channels === 'string' ? placeholdersOf(channels) : [],
    hosts,
    success: (Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number | undefined) ?? 200,
    canEnd,
    isOptional: [...hosts, ...paths].some((path) => /[{?]/.test(path)),
    isGuarded: guards.length > 0,
    takesTicket: guards.some(takesTicket),
    authorizes: channels !== undefined && (options.authorize ?? settings.authorize) !== undefined,
    expires: expires !== undefined,
    isLimited: settings.limits.connectionsPerClient !== Infinity,
    opensByEvent: settings.opening === 'event',
    bringsState: options.snapshot !== undefined,
  };
}

function either(one: EndpointFacts, other: EndpointFacts): Partial<EndpointFacts> {
  return {
    hosts: [...new Set([...one.hosts, ...other.hosts])],
    isOptional: one.isOptional || other.isOptional,
    isGuarded: one.isGuarded || other.isGuarded,
    takesTicket: one.takesTicket || other.takesTicket,
  };
}

function strings(value: unknown): string[] {
  return [value].flat().filter((each) => typeof each === 'string');
}
