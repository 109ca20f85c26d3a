import { RequestMethod, type Type } from '@nestjs/common';
import {
  HOST_METADATA,
  HTTP_CODE_METADATA,
  METHOD_METADATA,
  MODULE_PATH,
  PATH_METADATA,
  REDIRECT_METADATA,
  RENDER_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { placeholdersOf } from '../channel/template.js';
import { SseError } from '../channel/sse-error.js';
import { routeOf, type Route } from './route.js';
import { eventsOf } from './sse-params.decorator.js';

/** Statuses for requests other than GET: those of a success with a body. */
const BODY_STATUSES = new Set([200, 201, 202, 203]);

/**
 * Refuses decorators that a stream cannot obey.
 * @throws SseError `INVALID_OPTION`
 */
export function checkDecorators(handler: object, where: string): void {
  const status = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number | undefined;
  const isGet = Reflect.getMetadata(METHOD_METADATA, handler) === RequestMethod.GET;
  if (status !== undefined && !(isGet ? status === 200 : BODY_STATUSES.has(status))) {
    throw new SseError(
      'INVALID_OPTION',
      `${where} has @SseChannel() and @HttpCode(${status}). ` +
        (isGet
          ? 'An EventSource takes 200 only: leave @HttpCode() out.'
          : 'A stream is the body of a success: give 200, 201, 202 or 203, or leave @HttpCode() out.'),
    );
  }
  for (const [metadata, name] of [
    [REDIRECT_METADATA, '@Redirect()'],
    [RENDER_METADATA, '@Render()'],
  ] as const) {
    if (Reflect.hasMetadata(metadata, handler)) {
      throw new SseError(
        'INVALID_OPTION',
        `${where} has @SseChannel() and ${name}, and can obey only one of them. Leave one out.`,
      );
    }
  }
}

/**
 * Refuses `@SseEvents()` where there is no channel: its Observable would give nothing.
 * @throws SseError `INVALID_OPTION`
 */
export function checkEvents(controller: Type, name: string, where: string): void {
  const handler = (controller.prototype as Record<string, object>)[name]!;
  const route = routeOf(handler);
  if (
    route?.channels !== undefined ||
    !Reflect.hasMetadata(METHOD_METADATA, handler) ||
    !takesEvents(controller, name)
  ) {
    return;
  }
  throw new SseError(
    'INVALID_OPTION',
    `${where} has @SseEvents() and ${route ? 'an @SseChannel() that names no channel' : 'no @SseChannel()'}, so that there ` +
      "are no events. Name their channel: @SseChannel('name').",
  );
}

/** Whether a parameter of the method is `@SseEvents()`, in the class that has the method. */
function takesEvents(controller: Type, name: string): boolean {
  let owner: Type | null = controller;
  while (owner?.prototype && !Object.hasOwn(owner.prototype as object, name)) {
    owner = Object.getPrototypeOf(owner) as Type | null;
  }
  const params =
    owner && (Reflect.getOwnMetadata(ROUTE_ARGS_METADATA, owner, name) as object | undefined);
  return Object.values(params ?? {}).some(
    (param: { factory?: unknown }) => param.factory === eventsOf,
  );
}

/** The class whose `@SseChannel()` method this method overrides without the decorator, if any. */
export function overriddenEndpoint(controller: Type, name: string): Type | undefined {
  for (
    let parent = Object.getPrototypeOf(controller.prototype) as object | null;
    parent && parent !== Object.prototype;
    parent = Object.getPrototypeOf(parent) as object | null
  ) {
    const handler = Object.getOwnPropertyDescriptor(parent, name)?.value as object | undefined;
    if (typeof handler === 'function' && routeOf(handler)) {
      return parent.constructor as Type;
    }
  }
  return undefined;
}

/** The further parts of a route's path that may have parameters. */
export interface Surroundings {
  /** The prefix of all routes of the application. */
  readonly globalPrefix: string;
  /** The id under which Nest keeps the paths of modules. */
  readonly applicationId: string;
  /** The module that the controller belongs to. */
  readonly module: object | undefined;
}

/**
 * Refuses a template with a placeholder that is no parameter of the route's path or host: every
 * request would fail.
 * @throws SseError `INVALID_OPTION`
 */
export function checkPlaceholders(
  { channels, where }: Route,
  controller: Type,
  handler: object,
  { globalPrefix, applicationId, module }: Surroundings,
): void {
  const placeholders = typeof channels === 'string' ? placeholdersOf(channels) : [];
  if (placeholders.length === 0) {
    return;
  }
  const path = [
    globalPrefix,
    module &&
      (Reflect.getMetadata(MODULE_PATH + applicationId, module) ??
        Reflect.getMetadata(MODULE_PATH, module)),
    Reflect.getMetadata(PATH_METADATA, controller),
    Reflect.getMetadata(PATH_METADATA, handler),
    Reflect.getMetadata(HOST_METADATA, controller),
  ]
    .flat()
    .filter((part) => typeof part === 'string')
    .join('/');
  const wildcard = placeholders.find((name) => new RegExp(`[*]${name}\\b`).test(path));
  if (wildcard !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `@SseChannel() on ${where}: the template ${JSON.stringify(channels)} has {${wildcard}}, and *${wildcard} of the ` +
        `route's path may match several parts. Give a function of the request, or make it the parameter :${wildcard}.`,
    );
  }
  const parameters = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const missing = placeholders.find((name) => !parameters.includes(name));
  if (missing !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `@SseChannel() on ${where}: the template ${JSON.stringify(channels)} has {${missing}}, and ` +
        `the route's path has no parameter :${missing}. It has: ${parameters.join(', ') || 'none'}.`,
    );
  }
}
