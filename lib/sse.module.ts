import {
  Inject,
  Module,
  SetMetadata,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import {
  HttpAdapterHost,
  DiscoveryModule,
  MetadataScanner,
  ModulesContainer,
  type AbstractHttpAdapter,
} from '@nestjs/core';
import { monotonicNow } from './channel/clock.js';
import type { SseLogger } from './channel/source.js';
import { countingLog } from './channel/tally.js';
import { Control } from './connections/control.js';
import { ConnectionHooks } from './connections/connection-hooks.js';
import { Delivery } from './delivery/delivery.js';
import { DirectHandlers } from './endpoint/direct-handlers.js';
import { hookInto } from './endpoint/fastify-head.js';
import { Http2Sessions } from './endpoint/http2-sessions.js';
import { OtherInterceptors } from './endpoint/other-interceptors.js';
import { RouteChannels } from './endpoint/route-channels.js';
import { SseRoutes } from './endpoint/sse-routes.js';
import { StreamAnswers } from './endpoint/stream-answers.js';
import { SurroundingInterceptor } from './endpoint/surrounding.interceptor.js';
import { Metrics } from './metrics/metrics.js';
import { Presence } from './presence/presence.js';
import { Runs } from './runs/runs.js';
import { warnOfCopies } from './setup/copies.js';
import { checkMade, withMaker } from './setup/made-options.js';
import { checkSingle, OF_ANY_COPY, withoutOptions } from './sse.imports.js';
import { SSE_LOG, sseLog } from './setup/sse-log.js';
import { readOptions } from './sources/options/option-table.js';
import {
  ASYNC_OPTIONS,
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  EXTRAS,
  OPTIONS_TYPE,
  SSE_MODULE_OPTIONS,
} from './sse.module-definition.js';
import type { SseModuleOptions } from './setup/module-options.js';
import { SseService } from './sse.service.js';
import { SSE_IS_IMPORTED, SSE_SETTINGS, settingsOf, type SseSettings } from './setup/settings.js';
import { SseSources } from './setup/sse-sources.js';
import { SseTickets } from './tickets/sse-tickets.js';

/** Stands in for the options where nobody has given any. */
const NO_OPTIONS = Symbol('NO_OPTIONS');

/**
 * Server-Sent Events for Nest: channels, fed by `SseService.send()`, cache keys, Postgres
 * or sources of your own, and streamed by `@Sse()` endpoints with `@SseChannel()`.
 */
@SetMetadata(OF_ANY_COPY, true)
@Module({
  imports: [DiscoveryModule],
  providers: [
    MetadataScanner,
    // Where forRoot() or forRootAsync() is called, what they provide takes its place.
    { provide: SSE_MODULE_OPTIONS, useValue: NO_OPTIONS },
    {
      provide: SSE_SETTINGS,
      inject: [SSE_MODULE_OPTIONS, ModulesContainer],
      useFactory: (options: SseModuleOptions | typeof NO_OPTIONS, modules: ModulesContainer) => {
        if (options === NO_OPTIONS) {
          throw withoutOptions(SseModule, modules);
        }
        return settingsOf(options, 'The factory of SseModule.forRootAsync(): ');
      },
    },
    { provide: SSE_IS_IMPORTED, useValue: true },
    // Each application counts for itself.
    { provide: SSE_LOG, useFactory: () => countingLog(sseLog) },
    {
      provide: Delivery,
      inject: [SSE_SETTINGS, SSE_LOG],
      useFactory: ({ limits, ...settings }: SseSettings, log: SseLogger) =>
        new Delivery(
          {
            ...settings,
            maxChannels: limits.channels,
            maxConnections: limits.connections,
            maxConnectionsPerClient: limits.connectionsPerClient,
            eventSize: limits.eventSize,
            lastEventIdLength: limits.lastEventIdLength,
          },
          log,
        ),
    },
    {
      provide: SseSources,
      inject: [SSE_SETTINGS, Delivery, SSE_LOG],
      useFactory: (settings: SseSettings, { channels }: Delivery, log: SseLogger) =>
        new SseSources(settings, log, channels),
    },
    SseService,
    SseTickets,
    Control,
    Presence,
    Runs,
    Metrics,
    ConnectionHooks,
    RouteChannels,
    StreamAnswers,
    OtherInterceptors,
    SseRoutes,
    Http2Sessions,
    SurroundingInterceptor,
    DirectHandlers,
  ],
  // Nest makes endpoints of other modules with these; all but SseService and SseTickets is internal.
  exports: [
    SSE_IS_IMPORTED,
    SSE_SETTINGS,
    SseService,
    SseTickets,
    Delivery,
    Metrics,
    RouteChannels,
    StreamAnswers,
    OtherInterceptors,
  ],
})
export class SseModule
  extends ConfigurableModuleClass
  implements
    NestModule,
    OnModuleInit,
    OnModuleDestroy,
    BeforeApplicationShutdown,
    OnApplicationShutdown
{
  private shutdownUntil = 0;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly sources: SseSources,
    private readonly delivery: Delivery,
    private readonly sessions: Http2Sessions,
    private readonly control: Control,
    private readonly presence: Presence,
    private readonly runs: Runs,
    private readonly host: HttpAdapterHost,
    // Created with the module, so that routes are ready before the router reads them.
    _routes: SseRoutes,
    private readonly surrounding: SurroundingInterceptor,
    private readonly direct: DirectHandlers,
    modules: ModulesContainer,
  ) {
    super();
    checkSingle(SseModule, modules);
  }

  /**
   * Configures the module.
   * @throws SseError `INVALID_OPTION`
   */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    settingsOf(options, undefined, EXTRAS);
    warnOfCopies();
    return super.forRoot(options);
  }

  /**
   * Configures the module with options that other providers help to make.
   * @throws SseError `INVALID_OPTION`
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    const of = 'SseModule.forRootAsync(): ';
    checkMade(readOptions(ASYNC_OPTIONS, options, '', of), of);
    warnOfCopies();
    return withMaker(
      super.forRootAsync(options),
      options,
      SSE_MODULE_OPTIONS,
      'createSseOptions',
      of,
    );
  }

  /** Nest calls it when all global interceptors are there, and before the router adds its routes. */
  configure(): void {
    this.surrounding.install();
    this.direct.install();
    const adapter = this.host.httpAdapter as AbstractHttpAdapter | undefined;
    if (adapter?.getType?.() === 'fastify') {
      hookInto(adapter.getInstance());
      this.sessions.watchBindings(adapter.getInstance());
    }
  }

  /** @throws SseError `UNAVAILABLE` with `failFast`, `MISSING_PEER` */
  async onModuleInit(): Promise<void> {
    this.sessions.watch();
    this.control.open();
    await this.sources.start();
  }

  /** Health checks send clients elsewhere from now on; streams go on. */
  onModuleDestroy(): void {
    this.delivery.isStopping = true;
  }

  /** Ends every stream and session: the server would otherwise wait for them. */
  async beforeApplicationShutdown(): Promise<void> {
    this.shutdownUntil = monotonicNow() + this.settings.drainTimeout;
    // Clients are sent away at once; runs may end by themselves meanwhile.
    await Promise.all([this.delivery.drain(), this.runs.drain(this.settings.drainTimeout)]);
    await this.sessions.end(this.shutdownLeft);
  }

  async onApplicationShutdown(): Promise<void> {
    this.delivery.close();
    this.control.close();
    await this.presence.close();
    await this.runs.close();
    await this.sources.stop(this.shutdownLeft);
  }

  /** How long shutdown may still take, in milliseconds. */
  private get shutdownLeft(): number {
    return Math.max(0, this.shutdownUntil - monotonicNow());
  }
}
