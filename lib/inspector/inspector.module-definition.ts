import { ConfigurableModuleBuilder } from '@nestjs/common';
import { withController } from '../setup/guarded-route.js';
import { MAKERS } from '../setup/made-options.js';
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
    (definition, route) => withController(inspectorController(route), definition, route.imports),
  )
  .build();

export const ASYNC_OPTIONS = {
  ...INSPECTOR_ROUTE,
  ...MAKERS,
} satisfies TableOf<typeof ASYNC_OPTIONS_TYPE>;
