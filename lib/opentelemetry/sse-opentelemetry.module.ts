import {
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Metrics } from '../metrics/metrics.js';
import { flag } from '../sources/options/option-kinds.js';
import { readOptions, type TableOf } from '../sources/options/option-table.js';
import { exportMetrics } from './metric-export.js';
import { tracePublishes } from './publish-spans.js';

/** What the module gives to OpenTelemetry. */
export interface SseOpenTelemetryOptions {
  /** All metrics of docs/metrics.md. Default: true. */
  readonly metrics?: boolean;
  /** A span for each publish, and one for each delivery of such events, linked to it. Default: true. */
  readonly traces?: boolean;
}

export const OPENTELEMETRY_OPTIONS: TableOf<SseOpenTelemetryOptions> = {
  metrics: flag(true),
  traces: flag(true),
};

const OPTIONS = Symbol('SSE_OPENTELEMETRY_OPTIONS');

/**
 * Gives metrics and traces to OpenTelemetry, by the global providers of `@opentelemetry/api`. It needs
 * `SseModule.forRoot()` in the application.
 *
 * @example
 * ```ts
 * imports: [SseModule.forRoot(), SseOpenTelemetryModule.forRoot()]
 * ```
 */
@Module({})
export class SseOpenTelemetryModule implements OnModuleInit, OnApplicationShutdown {
  private ends: (() => void)[] = [];

  constructor(
    private readonly own: Metrics,
    @Inject(OPTIONS) private readonly options: Required<SseOpenTelemetryOptions>,
  ) {}

  /** @throws SseError `INVALID_OPTION` */
  static forRoot(options: SseOpenTelemetryOptions = {}): DynamicModule {
    const read = readOptions(
      OPENTELEMETRY_OPTIONS,
      options,
      '',
      'SseOpenTelemetryModule.forRoot(): ',
    );
    return {
      module: SseOpenTelemetryModule,
      providers: [{ provide: OPTIONS, useValue: read }],
    };
  }

  onModuleInit(): void {
    if (this.options.metrics) {
      this.ends.push(exportMetrics(this.own));
    }
    if (this.options.traces) {
      this.ends.push(tracePublishes());
    }
  }

  onApplicationShutdown(): void {
    this.ends.splice(0).forEach((end) => end());
  }
}
