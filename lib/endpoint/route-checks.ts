import { RequestMethod, type Type } from '@nestjs/common';
import {
  HOST_METADATA,
  HTTP_CODE_METADATA,
  METHOD_METADATA,
  MODULE_PATH,
  PATH_METADATA,
  REDIRECT_METADATA,
  RENDER_METADATA,
} from '@nestjs/common/constants.js';
import { placeholdersOf } from '../channel/template.js';
import { SseError } from '../channel/sse-error.js';
import { routeOf, type Route } from './route.js';

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
  const parameters = [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => name!);
  const missing = placeholders.find((name) => !parameters.includes(name));
  if (missing !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `@SseChannel() on ${where}: the template ${JSON.stringify(channels)} has {${missing}}, and ` +
        `the route's path has no parameter :${missing}. It has: ${parameters.join(', ') || 'none'}.`,
    );
  }
}
