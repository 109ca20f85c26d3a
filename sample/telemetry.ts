import { metrics } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

/** How long a collector may take for one export, in milliseconds: longer would hold Ctrl-C. */
const TIMEOUT_MS = 2_000;

/** OpenTelemetry's SDK, as the sample has it when it has somewhere to export to. */
export interface Telemetry {
  /** Exports what is left. It never rejects. */
  end(): Promise<void>;
}

/**
 * Sets the global providers, before the application starts. The exporters read
 * `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin themselves; `OTEL_METRIC_EXPORT_INTERVAL` is in milliseconds,
 * and 10,000 by default.
 */
export function startTelemetry(environment: NodeJS.ProcessEnv): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': environment.OTEL_SERVICE_NAME || 'nestjs-sse-channels-sample',
  });
  const options = { timeoutMillis: TIMEOUT_MS };
  const interval = Number(environment.OTEL_METRIC_EXPORT_INTERVAL) || 10_000;
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(options),
        exportIntervalMillis: interval,
        exportTimeoutMillis: Math.min(interval, TIMEOUT_MS),
      }),
    ],
  });
  const tracers = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(options))],
  });
  metrics.setGlobalMeterProvider(meters);
  tracers.register();
  return {
    end: async () => void (await Promise.allSettled([meters.shutdown(), tracers.shutdown()])),
  };
}
