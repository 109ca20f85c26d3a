import { Controller, Get, Header } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Counter, Registry } from 'prom-client';
import { SSE_METRICS_TYPE, SseService } from '../../lib/index.js';
import { RoomsController } from '../connections/rooms.js';
import { closeApps, startApp } from '../support/start-app.js';
import { parseExposition, valueOf } from './exposition.js';

const registry = new Registry();
const orders = new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] });

@Controller()
class AllMetricsController {
  constructor(private readonly sse: SseService) {}

  @Get('metrics')
  @Header('content-type', registry.contentType)
  async metrics(): Promise<string> {
    return (await registry.metrics()) + this.sse.metrics();
  }
}

describe('With prom-client', () => {
  afterEach(closeApps);

  it('one answer has the metrics of both, under a content type that is the same', async () => {
    const app = await startApp({ controllers: [RoomsController, AllMetricsController] });
    orders.inc(3);
    await app.sse.send('a', 'x');
    const response = await fetch(`${app.url}/metrics`);
    expect(response.headers.get('content-type')).toBe(SSE_METRICS_TYPE);
    const text = await response.text();
    expect(parseExposition(text).size).toBeGreaterThan(20);
    expect(valueOf(text, 'orders_total')).toBe(3);
    expect(valueOf(text, 'sse_received_events_total')).toBe(1);
  });
});
