import { ConfigurableModuleBuilder, type Provider } from '@nestjs/common';
import { MAKERS } from './setup/made-options.js';
import type { SseModuleOptions } from './setup/module-options.js';
import { flag, option, passedOn } from './sources/options/option-kinds.js';
import type { TableOf } from './sources/options/option-table.js';

/** The arguments of `forRoot` and `forRootAsync` beside the options themselves. */
export interface SseModuleExtras {
  /** Whether `SseService` can be injected everywhere without another import. Default: true. */
  readonly isGlobal?: boolean;
  /** Providers for the options factory of `forRootAsync`. Default: none. */
  readonly extraProviders?: Provider[];
}

export const EXTRAS = {
  isGlobal: flag(true),
  extraProviders: option(
    (value): value is Provider[] => Array.isArray(value),
    'an array of providers',
    undefined,
  ),
} satisfies TableOf<SseModuleExtras>;

export const ASYNC_OPTIONS = {
  ...EXTRAS,
  ...MAKERS,
  imports: passedOn<unknown>(),
} satisfies TableOf<typeof ASYNC_OPTIONS_TYPE>;

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: SSE_MODULE_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<SseModuleOptions>({ moduleName: 'Sse' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSseOptions')
  .setExtras<SseModuleExtras>(
    { isGlobal: true, extraProviders: [] },
    (definition, { isGlobal = true, extraProviders = [] }) => ({
      ...definition,
      global: isGlobal,
      providers: [...(definition.providers ?? []), ...extraProviders],
    }),
  )
  .build();
