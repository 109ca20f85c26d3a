import { Module, type DynamicModule } from '@nestjs/common';
import { checkGuarded } from '../setup/guarded-route.js';
import { checkMade, withMaker } from '../setup/made-options.js';
import { readOptions } from '../sources/options/option-table.js';
import { publishableChannels } from './publish-channels.js';
import {
  ASYNC_OPTIONS,
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
  SSE_PUBLISH_OPTIONS,
} from './publish.module-definition.js';
import { PUBLISH_OPTIONS, PUBLISH_ROUTE, type SsePublishOptions } from './publish.options.js';
import { Publisher, SSE_PUBLISH_SETTINGS, type PublishSettings } from './publisher.js';

/**
 * Lets programs publish events by HTTP: `POST /publish` with `{ "channel": …, "data": … }`, or with
 * `{ "events": […] }` for many. It needs `SseModule.forRoot()` in the application.
 */
@Module({
  providers: [
    Publisher,
    {
      provide: SSE_PUBLISH_SETTINGS,
      inject: [SSE_PUBLISH_OPTIONS],
      useFactory: (options: SsePublishOptions): PublishSettings =>
        readOptions(
          PUBLISH_OPTIONS,
          options,
          '',
          'The factory of SsePublishModule.forRootAsync(): ',
        ),
    },
  ],
})
export class SsePublishModule extends ConfigurableModuleClass {
  /**
   * Adds the route.
   * @throws SseError `INVALID_OPTION`, also without `guards`; `INVALID_CHANNEL`
   *
   * @example
   * ```ts
   * SsePublishModule.forRoot({ path: 'publish', guards: [TokenGuard], channels: ['news', Job] })
   * ```
   */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    const of = 'SsePublishModule.forRoot(): ';
    const { channels, guards } = readOptions(
      { ...PUBLISH_ROUTE, ...PUBLISH_OPTIONS },
      options,
      '',
      of,
    );
    checkGuarded(guards, of, 'publish');
    publishableChannels(channels);
    return super.forRoot(options);
  }

  /**
   * Adds the route, with options that other providers help to make. Those of the route itself, such as `guards`, stand
   * beside the factory.
   * @throws SseError `INVALID_OPTION`, also without `guards`
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    const of = 'SsePublishModule.forRootAsync(): ';
    const { guards, ...made } = readOptions(ASYNC_OPTIONS, options, '', of);
    checkGuarded(guards, of, 'publish');
    checkMade(made, of);
    return withMaker(
      super.forRootAsync(options),
      options,
      SSE_PUBLISH_OPTIONS,
      'createSsePublishOptions',
      of,
    );
  }
}
