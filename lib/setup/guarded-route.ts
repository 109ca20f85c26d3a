import type { CanActivate, ControllerOptions, DynamicModule, Type } from '@nestjs/common';
import { shown } from '../channel/shown.js';
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

/** A name, or a parameter such as `:tenant`. Others are no literal part of a path for one of Nest's routers. */
const SEGMENT = String.raw`(?::[A-Za-z_]\w*|(?!\.{1,2}(?:/|$))[\w.~@-]+)`;
const ROUTE_PATH = new RegExp(`^/?(?:${SEGMENT}(?:/${SEGMENT})*/?)?$`);

/** The path of a controller, which routers take as it stands. It is no secret: an error repeats it. */
export function routePath(byDefault: string): Option<string> {
  return {
    read: (value, path, of) => {
      if (value === undefined) {
        return byDefault;
      }
      if (typeof value !== 'string' || value === '' || !ROUTE_PATH.test(value)) {
        throw new SseError(
          'INVALID_OPTION',
          `${of}\`${path}\` is ${shown(value)}; it must be a path of names with one slash between them, such as ` +
            '"admin/sse". A name has letters without accents, digits and any of "-", ".", "_", "~" and "@", or is a ' +
            'parameter such as ":tenant".',
        );
      }
      return value;
    },
  };
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

/** Adds a route's controller to a module, and the modules that have what its guards need. */
export function withController(
  controller: Type,
  definition: DynamicModule,
  imports: DynamicModule['imports'] = [],
): DynamicModule {
  return {
    ...definition,
    imports: [...(definition.imports ?? []), ...imports],
    controllers: [controller],
  };
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
