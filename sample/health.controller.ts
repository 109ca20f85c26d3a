import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
// In an app of yours: from 'nestjs-sse-channels/terminus'.
import { SseHealthIndicator } from '../lib/terminus/index.js';

/** For whoever sends clients here, and for whoever restarts this process. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly sse: SseHealthIndicator,
  ) {}

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.checks.check([() => this.sse.ready()]);
  }

  @Get('live')
  @HealthCheck()
  live() {
    return this.checks.check([() => this.sse.live()]);
  }
}
