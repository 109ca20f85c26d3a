import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
// In an app of yours: from 'nestjs-sse-channels', 'nestjs-sse-channels/publish' and so on.
import { SseModule } from '../lib/index.js';
import { SseOpenTelemetryModule } from '../lib/opentelemetry/index.js';
import { SseInspectorModule } from '../lib/inspector/index.js';
import { SsePublishModule } from '../lib/publish/index.js';
import { SseHealthIndicator } from '../lib/terminus/index.js';
import { AnswersModule } from './answers/answers.module.js';
import { ClockController } from './clock.controller.js';
import { HealthController } from './health.controller.js';
import { InboxesController } from './inboxes.controller.js';
import { InspectorPasswordGuard } from './inspector-password.guard.js';
import { createKeyStore } from './key-store.js';
import { KeysController } from './keys.controller.js';
import { LoungeModule } from './lounge/lounge.module.js';
import { ProcessSessions } from './lounge/process-sessions.js';
import { MetricsController } from './metrics.controller.js';
import { OrderStore } from './order.store.js';
import { OrdersController } from './orders.controller.js';
import { PublishTokenGuard } from './publish-token.guard.js';
import { Room } from './room.channel.js';
import { RoomsController } from './rooms.controller.js';
import { maskUrl } from './settings.js';
import { SseErrorFilter } from './sse-error.filter.js';
import { StatsController } from './stats.controller.js';
import { StreamController } from './stream.controller.js';
import { DATABASE_URL, KEY_STORE, USES, type Uses } from './tokens.js';
import { UserStore } from './user.store.js';
import { UsersController } from './users.controller.js';

/** The options of the sample's module. */
export interface AppOptions {
  /** The Postgres that holds the users, prepared by `prepareDatabase`. */
  readonly databaseUrl: string;
  /** How the page names that Postgres. Defaults to its URL without the password. */
  readonly databaseDescription?: string;
  /** The Redis that holds the cache keys. Unset: they are in this process. */
  readonly redisUrl?: string | undefined;
  /** How long a visitor of the lounge who has left still counts, in milliseconds. Defaults to 2,000. */
  readonly presenceGrace?: number;
  /** How long the generator of answers thinks about each word, in milliseconds. Defaults to 50. */
  readonly answerPace?: number | undefined;
  /** What programs prove themselves by that publish over HTTP, and the password of `/inspector`. Defaults to `sample`. */
  readonly publishToken?: string | undefined;
  /** Whether OpenTelemetry gets metrics and traces, by the providers that `startTelemetry()` has set. */
  readonly hasTelemetry?: boolean;
}

@Module({})
export class AppModule {
  static register({
    databaseUrl,
    databaseDescription,
    redisUrl,
    presenceGrace = 2_000,
    answerPace,
    publishToken = 'sample',
    hasTelemetry = false,
  }: AppOptions): DynamicModule {
    const keyStore = createKeyStore(redisUrl);
    const uses: Uses = {
      cache: redisUrl ? `Redis at ${maskUrl(redisUrl)}` : 'in-process',
      postgres: databaseDescription ?? maskUrl(databaseUrl),
    };
    return {
      module: AppModule,
      imports: [
        SseModule.forRoot({
          postgres: databaseUrl,
          eventTable: {},
          retry: 1_000,
          // Longer than clients take to return, and short enough to watch.
          presenceGrace,
          ...keyStore.options,
        }),
        SsePublishModule.forRoot({
          guards: [new PublishTokenGuard(publishToken)],
          channels: [Room],
        }),
        // Everybody may read everything here anyway, and send to every room.
        SseInspectorModule.forRoot({
          guards: [new InspectorPasswordGuard(publishToken)],
          showData: true,
          send: true,
        }),
        LoungeModule.register(new ProcessSessions()),
        AnswersModule.register(answerPace),
        TerminusModule,
        ...(hasTelemetry ? [SseOpenTelemetryModule.forRoot()] : []),
      ],
      controllers: [
        UsersController,
        OrdersController,
        KeysController,
        RoomsController,
        InboxesController,
        ClockController,
        StatsController,
        MetricsController,
        HealthController,
        StreamController,
      ],
      providers: [
        SseHealthIndicator,
        UserStore,
        OrderStore,
        { provide: APP_FILTER, useClass: SseErrorFilter },
        { provide: DATABASE_URL, useValue: databaseUrl },
        { provide: KEY_STORE, useValue: keyStore },
        { provide: USES, useValue: uses },
      ],
    };
  }
}
