import { SpanKind, SpanStatusCode, metrics, trace, context } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SamplingDecision,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { INSTRUMENTS } from '../../lib/metrics/instruments.js';
import { prometheusName } from '../../lib/metrics/prometheus.js';
import {
  SseOpenTelemetryModule,
  type SseOpenTelemetryOptions,
} from '../../lib/opentelemetry/index.js';
import { RoomsController } from '../connections/rooms.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { closeApps, startApp, type AppOptions, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { parseExposition } from './exposition.js';

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const meters = new MeterProvider({ readers: [reader] });
const spans = new InMemorySpanExporter();
const tracers = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });

beforeAll(() => {
  metrics.setGlobalMeterProvider(meters);
  tracers.register();
});
beforeEach(() => spans.reset());
afterEach(closeApps);
afterAll(async () => {
  await meters.shutdown();
  await tracers.shutdown();
  metrics.disable();
  trace.disable();
  context.disable();
});

const start = (options: SseOpenTelemetryOptions = {}, more: AppOptions = {}): Promise<TestApp> =>
  startApp({
    controllers: [RoomsController],
    imports: [SseOpenTelemetryModule.forRoot(options)],
    ...more,
  });

async function collected(): Promise<readonly MetricData[]> {
  exporter.reset();
  await reader.forceFlush();
  return exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) =>
      scopeMetrics
        .filter(({ scope }) => scope.name === 'nestjs-sse-channels')
        .flatMap((each) => each.metrics),
    );
}

const named = (name: string): ReadableSpan[] =>
  spans.getFinishedSpans().filter((span) => span.name === name);

describe('SseOpenTelemetryModule, with the SDK of OpenTelemetry', () => {
  it('gives the same metrics as sse.metrics(), with the same values', async () => {
    const app = await start();
    const client = await app.connect('/rooms/a');
    await app.sse.send('a', 'one');
    await app.sse.send('a', 'two');
    await client.take(2);
    await expect(app.sse.send('', 'x')).rejects.toThrow();
    const text = parseExposition(app.sse.metrics());
    const found = new Map((await collected()).map((each) => [each.descriptor.name, each]));
    let compared = 0;
    for (const instrument of INSTRUMENTS) {
      const ours = text.get(prometheusName(instrument));
      const theirs = found.get(instrument.name);
      if (!theirs) {
        // What has no values here has none there. A histogram that nothing was recorded to has neither.
        expect([
          instrument.name,
          ours?.samples.reduce((n, { value }) => n + value, 0) ?? 0,
        ]).toEqual([instrument.name, 0]);
        continue;
      }
      expect(theirs.descriptor).toMatchObject({
        unit: instrument.unit,
        description: instrument.help,
      });
      for (const { attributes, value } of theirs.dataPoints) {
        const labels = Object.entries(attributes).map(([k, v]) => [k.replaceAll('.', '_'), v]);
        const of = ours!.samples.filter(
          ({ labels: { le: _, ...rest } }) =>
            labels.length === Object.keys(rest).length &&
            labels.every(([k, v]) => rest[k as string] === v),
        );
        if (theirs.dataPointType === DataPointType.HISTOGRAM) {
          const histogram = value as { count: number; buckets: { boundaries: number[] } };
          const count = of.find(({ name }) => name.endsWith('_count'))!.value;
          expect([instrument.name, histogram.count]).toEqual([instrument.name, count]);
          const bounds = of.filter(({ name }) => name.endsWith('_bucket')).slice(0, -1);
          expect(histogram.buckets.boundaries).toEqual(bounds.map((b) => Number(b.labels['le'])));
        } else {
          expect([instrument.name, attributes, value]).toEqual([
            instrument.name,
            attributes,
            of[0]!.value,
          ]);
        }
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(60);
  });

  it('gives nothing any more once the application has ended', async () => {
    const app = await start();
    await app.sse.send('a', 'x');
    const active = async (): Promise<unknown[]> =>
      (await collected())
        .filter(({ descriptor }) => descriptor.name === 'sse.channel.active')
        .flatMap(({ dataPoints }) => dataPoints.map(({ value }) => value));
    expect(await active()).toEqual([1]);
    await app.close();
    const after = await active();
    const again = await start({ metrics: false });
    await Promise.all(['a', 'b', 'c'].map((channel) => again.sse.send(channel, 'x')));
    expect(again.sse.stats().channels).toBe(3);
    expect(await active()).toEqual(after);
  });

  it('traces a publish within what is active, and its delivery by a link', async () => {
    const app = await start();
    const client = await app.connect('/rooms/a');
    const tracer = trace.getTracer('test');
    const id = await tracer.startActiveSpan('request', async (span) => {
      const sent = await app.sse.send('a', 'one');
      span.end();
      return sent;
    });
    await client.take(1);
    await until(() => named('sse deliver').length === 1);
    const [publish, deliver, request] = [
      named('sse send')[0]!,
      named('sse deliver')[0]!,
      named('request')[0]!,
    ];
    expect(publish.kind).toBe(SpanKind.PRODUCER);
    expect(publish.parentSpanContext?.spanId).toBe(request.spanContext().spanId);
    expect(publish.attributes).toMatchObject({
      'messaging.destination.name': 'a',
      'messaging.message.id': id,
      'sse.publish.target': 'memory',
    });
    expect(deliver.kind).toBe(SpanKind.CONSUMER);
    expect(deliver.parentSpanContext).toBeUndefined();
    expect(deliver.spanContext().traceId).not.toBe(publish.spanContext().traceId);
    expect(deliver.links.map((link) => link.context.spanId)).toEqual([
      publish.spanContext().spanId,
    ]);
    expect(deliver.attributes).toMatchObject({
      'messaging.destination.name': 'a',
      'messaging.batch.message_count': 1,
      'sse.channel.readers': 1,
    });
  });

  it('makes one span of a delivery of many events, with a link to each', async () => {
    const app = await start();
    const client = await app.connect('/rooms/a');
    await app.sse.sendAll(['a', 'b', 'c'].map((data) => ({ channel: 'a', data })));
    await client.take(3);
    await until(() => named('sse deliver').length > 0);
    expect(named('sse send')).toHaveLength(3);
    const [deliver] = named('sse deliver');
    expect(named('sse deliver')).toHaveLength(1);
    expect(new Set(deliver!.links.map((link) => link.context.spanId))).toEqual(
      new Set(named('sse send').map((span) => span.spanContext().spanId)),
    );
  });

  it('marks a publish that fails, with its code', async () => {
    const app = await start();
    await expect(app.sse.send('a', 'x', { transaction: {} })).rejects.toThrow();
    const [publish] = named('sse send');
    expect(publish!.status.code).toBe(SpanStatusCode.ERROR);
    expect(publish!.attributes['error.type']).toBe('NOT_CONFIGURED');
  });

  it('makes no span without traces, and none twice for two applications', async () => {
    const [one, two] = [await start(), await start()];
    await one.sse.send('a', 'x');
    expect(named('sse send')).toHaveLength(1);
    await one.close();
    await two.sse.send('a', 'x');
    expect(named('sse send')).toHaveLength(2);
    await two.close();
    const untraced = await start({ traces: false });
    await untraced.sse.send('a', 'x');
    expect(named('sse send')).toHaveLength(2);
  });

  it('links a delivery to the publishes that the sampler took, and makes none without one', async () => {
    trace.disable();
    const some = new NodeTracerProvider({
      sampler: {
        shouldSample: (_context, _traceId, _name, _kind, attributes) => ({
          decision: String(attributes['messaging.destination.name']).startsWith('taken')
            ? SamplingDecision.RECORD_AND_SAMPLED
            : SamplingDecision.NOT_RECORD,
        }),
        toString: () => 'some',
      },
      spanProcessors: [new SimpleSpanProcessor(spans)],
    });
    trace.setGlobalTracerProvider(some);
    const app = await start();
    const [left, taken] = [await app.connect('/rooms/left'), await app.connect('/rooms/taken')];
    for (let n = 0; n < 5; n++) {
      await Promise.all([app.sse.send('left', n), app.sse.send('taken', n)]);
    }
    await Promise.all([left.take(5), taken.take(5)]);
    const links = () => named('sse deliver').flatMap((span) => span.links);
    await until(() => links().length === 5);
    await app.close();
    trace.disable();
    trace.setGlobalTracerProvider(tracers);
    expect(new Set(links().map((link) => link.context.spanId))).toEqual(
      new Set(named('sse send').map((span) => span.spanContext().spanId)),
    );
    const channels = spans
      .getFinishedSpans()
      .map((s) => s.attributes['messaging.destination.name']);
    expect(new Set(channels)).toEqual(new Set(['taken']));
  });

  it('refuses options that are none', () => {
    expect(() =>
      SseOpenTelemetryModule.forRoot({ metric: true } as SseOpenTelemetryOptions),
    ).toThrow('metric');
  });
});

describe('Traces through Redis', () => {
  let server: RedisServer;
  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());

  it('link each delivery of this process to its publish, whichever of message and answer is first', async () => {
    const app = await start({}, { options: { redis: server.url, broker: 'redis' } });
    const client = await app.connect('/rooms/a');
    for (let n = 0; n < 50; n++) {
      await app.sse.send('a', n);
    }
    await client.take(50);
    const linked = () =>
      new Set(named('sse deliver').flatMap((span) => span.links.map((l) => l.context.spanId)));
    await until(() => linked().size === 50);
    expect(linked()).toEqual(new Set(named('sse send').map((span) => span.spanContext().spanId)));
  });
});
