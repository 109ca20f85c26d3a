import { Controller, Get, Module, Sse } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import type { SystemHealth } from '../../lib/channel/system-health.js';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { SseHealthIndicator, type LiveOptions } from '../../lib/terminus/index.js';
import { startApp, type AppOptions, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** What terminus answers, as far as the tests read it. */
export interface HealthAnswer {
  readonly status: number;
  readonly body: {
    readonly status: string;
    readonly details: {
      readonly sse: {
        readonly status: 'up' | 'down';
        readonly message?: string;
        readonly stopping: boolean;
        readonly systems: Readonly<Record<string, SystemHealth>>;
      };
    };
  };
}

/** An application with `/health/ready` and `/health/live`. */
export interface HealthApp extends TestApp {
  health(check: 'ready' | 'live'): Promise<HealthAnswer>;
  /** Waits until a check has this status, and resolves with its answer. */
  untilHealth(check: 'ready' | 'live', status: 200 | 503): Promise<HealthAnswer>;
}

@Controller()
class StreamsController {
  @Sse('events/:id')
  @SseChannel('events:{id}')
  events() {}
}

export async function startHealthApp(
  options: SseModuleOptions,
  { live, ...app }: AppOptions & { readonly live?: LiveOptions } = {},
): Promise<HealthApp> {
  @Controller('health')
  class HealthController {
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
      return this.checks.check([() => this.sse.live('sse', live)]);
    }
  }

  @Module({
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController],
    providers: [SseHealthIndicator],
  })
  class HealthModule {}

  const started = await startApp({
    ...app,
    options,
    imports: [HealthModule, ...(app.imports ?? [])],
    controllers: [StreamsController, ...(app.controllers ?? [])],
  });
  const health: HealthApp['health'] = async (check) => {
    const answer = await fetch(`${started.url}/health/${check}`);
    return { status: answer.status, body: (await answer.json()) as HealthAnswer['body'] };
  };
  return {
    ...started,
    health,
    untilHealth: (check, status) =>
      until(
        async () => {
          const answer = await health(check);
          return answer.status === status && answer;
        },
        { what: `${check} to answer ${status}` },
      ),
  };
}

/** The states of the systems in an answer, by their names. */
export function statesIn({ body }: HealthAnswer): Record<string, string> {
  const { systems } = body.details.sse;
  return Object.fromEntries(Object.entries(systems).map(([name, { state }]) => [name, state]));
}
