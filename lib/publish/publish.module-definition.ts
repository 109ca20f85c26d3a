import { ConfigurableModuleBuilder } from '@nestjs/common';
import { withController } from '../setup/guarded-route.js';
import { MAKERS } from '../setup/made-options.js';
import type { TableOf } from '../sources/options/option-table.js';
import { publishController } from './publish.controller.js';
import { PUBLISH_ROUTE, type SsePublishOptions, type SsePublishRoute } from './publish.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: SSE_PUBLISH_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<SsePublishOptions>({ moduleName: 'SsePublish' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSsePublishOptions')
  .setExtras<SsePublishRoute>(
    // Nest knows extras by these names; forRoot() has checked that `guards` is given.
    { guards: 'none', path: 'publish', version: undefined!, imports: [] },
    (definition, route) => withController(publishController(route), definition, route.imports),
  )
  .build();

export const ASYNC_OPTIONS = {
  ...PUBLISH_ROUTE,
  ...MAKERS,
} satisfies TableOf<typeof ASYNC_OPTIONS_TYPE>;
