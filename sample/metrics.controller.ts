import { Controller, Get, Header } from '@nestjs/common';
import { SSE_METRICS_TYPE, SseService } from '../lib/index.js';

/** What Prometheus scrapes. In an app of yours, a guard or the network says who may. */
@Controller()
export class MetricsController {
  constructor(private readonly sse: SseService) {}

  @Get('metrics')
  @Header('content-type', SSE_METRICS_TYPE)
  metrics(): string {
    return this.sse.metrics();
  }
}
