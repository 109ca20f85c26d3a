import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { openEvents } from './open-events.js';
import { startSample } from './sample-process.js';

/** What of OTLP in JSON counts here. */
interface Export {
  readonly resourceMetrics?: { scopeMetrics: { scope: Scope; metrics: Metric[] }[] }[];
  readonly resourceSpans?: { resource: unknown; scopeSpans: { scope: Scope; spans: Span[] }[] }[];
}
interface Scope {
  readonly name: string;
}
interface Metric {
  readonly name: string;
  readonly sum?: { readonly dataPoints: { readonly asInt?: number; readonly asDouble?: number }[] };
}
interface Span {
  readonly name: string;
  readonly spanId: string;
  readonly links?: { readonly spanId: string }[];
}

const received = new Map<string, Export[]>();
let collector: Server;

beforeAll(async () => {
  collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { url = '' } = request;
      received.set(url, [...(received.get(url) ?? []), JSON.parse(body) as Export]);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => void collector.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  collector.closeAllConnections();
  collector.close();
});

const of = (url: string): Export[] => received.get(url) ?? [];
const spans = (): Span[] =>
  of('/v1/traces')
    .flatMap(({ resourceSpans = [] }) => resourceSpans.flatMap((each) => each.scopeSpans))
    .filter(({ scope }) => scope.name === 'nestjs-sse-channels')
    .flatMap((each) => each.spans);
const metrics = (): Metric[] =>
  of('/v1/metrics')
    .flatMap(({ resourceMetrics = [] }) => resourceMetrics.flatMap((each) => each.scopeMetrics))
    .filter(({ scope }) => scope.name === 'nestjs-sse-channels')
    .flatMap((each) => each.metrics);

describe('The sample with OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('exports its metrics and traces there, and what is left when it stops', async () => {
    const { port } = collector.address() as AddressInfo;
    const sample = await startSample({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_METRIC_EXPORT_INTERVAL: '200',
      OTEL_SERVICE_NAME: 'sample under test',
    });
    try {
      const address = await sample.address();
      expect(sample.output).toContain(`exports   to http://127.0.0.1:${port}`);
      const client = await openEvents(`${address}/events/rooms/a`);
      for (const body of ['one', 'two', 'three']) {
        const headers = { 'content-type': 'text/plain' };
        const sent = await fetch(`${address}/rooms/a`, { method: 'POST', headers, body });
        expect(sent.status).toBe(201);
      }
      await client.take(3);
      const active = (): number[] =>
        metrics()
          .filter(({ name }) => name === 'sse.connection.active')
          .flatMap(({ sum }) => sum!.dataPoints.map((point) => point.asInt ?? point.asDouble ?? 0));
      await until(() => active().at(-1) === 1, { what: 'the number of connections' });
      sample.signal('SIGINT');
      expect(await sample.exited).toBe(0);
    } finally {
      await sample.dispose();
    }
    const sends = spans().filter(({ name }) => name === 'sse send');
    expect(sends).toHaveLength(3);
    const links = spans()
      .filter(({ name }) => name === 'sse deliver')
      .flatMap((span) => span.links ?? []);
    expect(new Set(links.map(({ spanId }) => spanId))).toEqual(
      new Set(sends.map(({ spanId }) => spanId)),
    );
    expect(JSON.stringify(of('/v1/traces')[0]!.resourceSpans![0]!.resource)).toContain(
      'sample under test',
    );
  }, 60_000);
});
