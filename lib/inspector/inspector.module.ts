import { Module, type DynamicModule } from '@nestjs/common';
import { checkGuarded } from '../setup/guarded-route.js';
import { checkMade, withMaker } from '../setup/made-options.js';
import { readOptions } from '../sources/options/option-table.js';
import {
  ASYNC_OPTIONS,
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
  SSE_INSPECTOR_OPTIONS,
} from './inspector.module-definition.js';
import {
  INSPECTOR_OPTIONS,
  INSPECTOR_ROUTE,
  type InspectorSettings,
  type SseInspectorOptions,
} from './inspector.options.js';
import { Inspector, SSE_INSPECTOR_SETTINGS } from './inspector.js';

/**
 * A page at `/inspector` that shows what this instance does: its channels, connections, systems and numbers, as
 * they change. It needs `SseModule.forRoot()` in the application.
 */
@Module({
  providers: [
    Inspector,
    {
      provide: SSE_INSPECTOR_SETTINGS,
      inject: [SSE_INSPECTOR_OPTIONS],
      useFactory: (options: SseInspectorOptions): InspectorSettings =>
        readOptions(
          INSPECTOR_OPTIONS,
          options,
          '',
          'The factory of SseInspectorModule.forRootAsync(): ',
        ),
    },
  ],
})
export class SseInspectorModule extends ConfigurableModuleClass {
  /**
   * Adds the page.
   * @throws SseError `INVALID_OPTION`, also without `guards`
   *
   * @example
   * ```ts
   * SseInspectorModule.forRoot({ path: 'admin/sse', guards: [AdminGuard] })
   * ```
   */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    const of = 'SseInspectorModule.forRoot(): ';
    const table = { ...INSPECTOR_ROUTE, ...INSPECTOR_OPTIONS };
    checkGuarded(readOptions(table, options, '', of).guards, of, LOOK);
    return super.forRoot(options);
  }

  /**
   * Adds the page, with options that other providers help to make. Those of the routes themselves, such as `guards`,
   * stand beside the factory.
   * @throws SseError `INVALID_OPTION`, also without `guards`
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    const of = 'SseInspectorModule.forRootAsync(): ';
    const { guards, ...made } = readOptions(ASYNC_OPTIONS, options, '', of);
    checkGuarded(guards, of, LOOK);
    checkMade(made, of);
    return withMaker(
      super.forRootAsync(options),
      options,
      SSE_INSPECTOR_OPTIONS,
      'createSseInspectorOptions',
      of,
    );
  }
}

const LOOK = 'look into the application';
