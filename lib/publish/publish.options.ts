import type { ControllerOptions, ModuleMetadata } from '@nestjs/common';
import type { SseClient } from '../delivery/client.js';
import { MOST_EVENTS } from '../sending/send-all.options.js';
import { GUARDS, routePath, VERSION, type RouteGuards } from '../setup/guarded-route.js';
import { callback, group, option, passedOn, whole } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';

/** An event that a request asks to publish, as `authorize` sees it. Its data is not checked yet. */
export interface EventToPublish {
  readonly channel: string;
  readonly data: unknown;
  readonly type?: string;
  readonly id?: string;
  readonly retry?: number;
  readonly idempotencyKey?: string;
}

/** Whether the caller of a request may publish an event to a channel. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AuthorizePublish<Request = any> = (
  request: Request,
  channel: string,
  event: EventToPublish,
) => boolean | Promise<boolean>;

/** How much a caller may publish. `Infinity` lifts a limit that has no other bound. */
export interface PublishLimits {
  /** Events in one request, at most 10,000. A request with more is refused with 413. Default: 1,000. */
  readonly eventsPerRequest?: number;
  /**
   * Events of one caller in a minute, on each instance. Beyond them a request is refused with 429 and
   * `Retry-After`. A request counts as one event at least. Default: no limit.
   */
  readonly eventsPerMinute?: number;
}

/** Options of `SsePublishModule.forRoot()`, and what the factory of `forRootAsync()` returns. */
// The framework's request type is the application's choice.
// oxlint-disable-next-line typescript/no-explicit-any
export interface SsePublishOptions<Request = any> {
  /**
   * The channels that requests may publish to: names, templates such as `job:{id}`, and definitions, whose events
   * must be of their types. The first entry that a name fits counts. Default: any channel.
   */
  readonly channels?: readonly (string | ChannelDefinition)[];
  /**
   * Whether the caller may publish an event to a channel. An error, any other answer, or none within
   * 30 seconds refuses the event. Default: whoever the guards let in may.
   */
  readonly authorize?: AuthorizePublish<Request>;
  /** For whom `limits.eventsPerMinute` counts. Default: the module's `client`, or else the address. */
  readonly client?: (request: Request) => string | SseClient | undefined;
  /** How much a caller may publish. */
  readonly limits?: PublishLimits;
}

/** The arguments of `forRoot` and `forRootAsync` that decide about the route. */
export interface SsePublishRoute {
  /**
   * Who may call: guards as in `@UseGuards()`, classes or objects; or `'none'` where something else decides, such as
   * a global guard. Required.
   */
  readonly guards: RouteGuards;
  /**
   * The path, as of a controller: names and parameters such as `:tenant`, with one slash between them. A global prefix
   * comes before it. Default: `publish`.
   */
  readonly path?: string;
  /** The version of the route, as of a controller. Default: that of the application. */
  readonly version?: ControllerOptions['version'];
  /** Modules whose providers the guards need. Default: none. */
  readonly imports?: ModuleMetadata['imports'];
}

export const PUBLISH_LIMITS = {
  eventsPerRequest: whole(1_000, { unit: 'events', to: MOST_EVENTS }),
  eventsPerMinute: whole(Infinity, { unit: 'events' }),
} satisfies TableOf<PublishLimits>;

export const PUBLISH_OPTIONS = {
  channels: option(isList, 'an array of at least one name, template or definition', undefined),
  authorize: callback<AuthorizePublish>('the request, a channel and an event'),
  client: callback<NonNullable<SsePublishOptions['client']>>('the request'),
  limits: group(PUBLISH_LIMITS),
} satisfies TableOf<SsePublishOptions>;

export const PUBLISH_ROUTE = {
  guards: GUARDS,
  path: routePath('publish'),
  version: VERSION,
  imports: passedOn<NonNullable<SsePublishRoute['imports']>>(),
} satisfies TableOf<SsePublishRoute>;

function isList(value: unknown): value is NonNullable<SsePublishOptions['channels']> {
  return Array.isArray(value) && value.length > 0;
}
