import type { CanActivate, ControllerOptions, Type } from '@nestjs/common';
import { SseError } from '../channel/sse-error.js';
import { option, passedOn } from '../sources/options/option-kinds.js';
import type { Option } from '../sources/options/option-table.js';

/**
 * Who may call a route: guards as in `@UseGuards()`, classes or objects; or `'none'` where something else decides,
 * such as a global guard.
 */
export type RouteGuards = readonly (Type<CanActivate> | CanActivate)[] | 'none';

export const GUARDS = option(
  areGuards,
  "an array of at least one guard, a class or an object, or 'none'",
  undefined,
);

type Version = ControllerOptions['version'];

/** Has a name, as declarations would else name a file of Nest 12 that Nest 11 does not have. */
export interface VersionOption extends Option<NonNullable<Version>, Version> {}

/** The version of a controller, which Nest checks. */
export const VERSION: VersionOption = passedOn<NonNullable<Version>>();

/** The path of a controller. */
export function routePath(byDefault: string) {
  return option(
    (value): value is string => typeof value === 'string' && value !== '',
    'a path',
    byDefault,
  );
}

/**
 * Refuses a route without guards.
 * @param could what anybody could do then
 * @throws SseError `INVALID_OPTION`
 */
export function checkGuarded(guards: RouteGuards | undefined, of: string, could: string): void {
  if (guards === undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}there are no \`guards\`, so that anybody could ${could}. Give guards that check who calls, as in ` +
        "@UseGuards(), or `guards: 'none'` where something else does, such as a global guard.",
    );
  }
}

/** The guards for `@UseGuards()`. */
export function guardsToUse(guards: RouteGuards): readonly (Type<CanActivate> | CanActivate)[] {
  return guards === 'none' ? [] : guards;
}

function areGuards(value: unknown): value is RouteGuards {
  return value === 'none' || (Array.isArray(value) && value.length > 0 && value.every(isGuard));
}

function isGuard(value: unknown): boolean {
  return (
    typeof value === 'function' ||
    typeof (value as Partial<CanActivate> | null | undefined)?.canActivate === 'function'
  );
}
