import 'reflect-metadata';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Controller, Module, Sse, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type * as Package from '../../lib/index.js';

/**
 * What this server has of the metrics: it is of an older commit; nobody reads them; somebody does; it has the
 * SDK of OpenTelemetry and not our module; it has both, and of our module the metrics only; and traces of one publish in ten; and
 * traces of all.
 */
export type Peer =
  'before' | 'unread' | 'scraped' | 'sdk' | 'otel-metrics' | 'otel-tenth' | 'otel-all';

/** A round of bursts, and what it took. */
export interface Round {
  readonly bursts: number;
  readonly burst: number;
}

const [peer, library] = process.argv.slice(2) as [Peer, string];
const { SseChannel, SseModule, SseService } = (await import(
  `${library}/lib/index.js`
)) as typeof Package;

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

/**
 * With the SDK as an application has it: metrics collected, spans recorded and dropped.
 * @param share of the publishes whose spans are recorded
 */
async function startSdk(share: number): Promise<void> {
  const { metrics } = await import('@opentelemetry/api');
  const {
    AggregationTemporality,
    InMemoryMetricExporter,
    MeterProvider,
    PeriodicExportingMetricReader,
  } = await import('@opentelemetry/sdk-metrics');
  const { NodeTracerProvider, ParentBasedSampler, TraceIdRatioBasedSampler } =
    await import('@opentelemetry/sdk-trace-node');
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const root = new TraceIdRatioBasedSampler(share);
  new NodeTracerProvider({ sampler: new ParentBasedSampler({ root }) }).register();
  setInterval(() => exporter.reset(), 5_000).unref();
}

async function openTelemetry(traces: boolean): Promise<DynamicModule> {
  const module = (await import(
    `${library}/lib/opentelemetry/index.js`
  )) as typeof import('../../lib/opentelemetry/index.js');
  return module.SseOpenTelemetryModule.forRoot({ traces });
}

const imports = [SseModule.forRoot({ heartbeat: 0, drainTimeout: 0 })];
if (peer === 'sdk' || peer.startsWith('otel-')) {
  await startSdk(peer === 'otel-tenth' ? 0.1 : 1);
}
if (peer.startsWith('otel-')) {
  imports.push(await openTelemetry(peer !== 'otel-metrics'));
}

@Module({ imports, controllers: [NewsController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const sse = app.get(SseService);
const DATA = 'x'.repeat(300);

async function run({ bursts, burst }: Round): Promise<number> {
  let cpu = 0;
  for (let nth = 0; nth < bursts; nth++) {
    const before = process.cpuUsage();
    for (let event = 0; event < burst; event++) {
      void sse.send('news', DATA);
    }
    // The readers are served in slices of 10 ms; what is left of a pause takes no CPU.
    await turn();
    await pause(15);
    if (peer === 'scraped' && nth % 50 === 0) {
      sse.metrics();
    }
    const { user, system } = process.cpuUsage(before);
    cpu += user + system;
  }
  return cpu / (bursts * burst);
}

process.on('message', (message: Round | 'heap') => {
  if (message === 'heap') {
    (globalThis as unknown as { gc(): void }).gc();
    process.send!({ heap: process.memoryUsage().heapUsed, connections: sse.stats().connections });
  } else {
    void run(message).then((cpu) => process.send!({ cpu }));
  }
});
process.send!({ url: await app.getUrl() });
