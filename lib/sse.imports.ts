import type { DynamicModule, Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';
import { SseError } from './channel/sse-error.js';
import { ONE_COPY } from './setup/copies.js';

/** Metadata of SseModule, which the SseModule of another copy of the package has as well. */
export const OF_ANY_COPY = 'sse:module';

/** The error for `imports: [SseModule]`. */
export function withoutOptions(SseModule: Type, modules: ModulesContainer): SseError {
  return new SseError(
    'NOT_CONFIGURED',
    `SseModule is imported without forRoot(), in the imports of ${importersIn(modules, (imported) => imported === SseModule)}. Call ` +
      'SseModule.forRoot() once, in the root module, and import it nowhere else: SseService can ' +
      'then be injected everywhere.',
  );
}

/**
 * Two of these modules would not know each other: what one sends, clients of the other never get.
 * @throws SseError `INVALID_OPTION`
 */
export function checkSingle(SseModule: Type, modules: ModulesContainer): void {
  const isConfigured = (imported: unknown): boolean =>
    (imported as DynamicModule | null)?.module === SseModule;
  const isOfAnother = ({ metatype }: { metatype: object }): boolean =>
    metatype !== SseModule && Reflect.hasMetadata(OF_ANY_COPY, metatype);
  if ([...modules.values()].some(isOfAnother)) {
    throw new SseError(
      'INVALID_OPTION',
      `SseModule is imported from two copies of nestjs-sse-channels. ${ONE_COPY}`,
    );
  }
  const count = [...modules.values()].filter(({ metatype }) => metatype === SseModule).length;
  if (count > 1) {
    throw new SseError(
      'INVALID_OPTION',
      `SseModule is configured ${count} times in one application, in the imports of ` +
        `${importersIn(modules, isConfigured)}. Call SseModule.forRoot() once, in the root module: SseService ` +
        'can then be injected everywhere.',
    );
  }
}

/** The names of the classes that import SseModule in such a way by their `@Module({ imports })`. */
function importersIn(modules: ModulesContainer, isSuch: (imported: unknown) => boolean): string {
  const importers = [...modules.values()].filter(({ metatype }) =>
    ((Reflect.getMetadata(MODULE_METADATA.IMPORTS, metatype) ?? []) as unknown[]).some(isSuch),
  );
  return importers.map(({ metatype }) => metatype.name).join(' and ') || 'dynamic modules';
}
