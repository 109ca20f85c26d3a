import { ConfigurableModuleBuilder } from '@nestjs/common';
import { callback, passedOn } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';
import { inspectorController } from './inspector.controller.js';
import {
  INSPECTOR_ROUTE,
  type SseInspectorOptions,
  type SseInspectorRoute,
} from './inspector.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: SSE_INSPECTOR_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<SseInspectorOptions>({ moduleName: 'SseInspector' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSseInspectorOptions')
  .setExtras<SseInspectorRoute>(
    // Nest knows extras by these names; forRoot() has checked that `guards` is given.
    { guards: 'none', path: 'inspector', version: undefined!, imports: [] },
    (definition, route) => ({
      ...definition,
      imports: [...(definition.imports ?? []), ...(route.imports ?? [])],
      controllers: [inspectorController(route)],
    }),
  )
  .build();

export const ASYNC_OPTIONS = {
  ...INSPECTOR_ROUTE,
  useFactory: callback('what `inject` names'),
  useClass: passedOn<unknown>(),
  useExisting: passedOn<unknown>(),
  inject: passedOn<unknown>(),
  provideInjectionTokensFrom: passedOn<unknown>(),
} satisfies TableOf<typeof ASYNC_OPTIONS_TYPE>;
