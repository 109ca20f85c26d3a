import { Controller, Module, RequestMethod, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseChannel, SseEvents, SseModule, type SseEvent } from 'nestjs-sse-channels';
import { InjectPinoLogger, Logger, LoggerModule, PinoLogger } from 'nestjs-pino';
import type { Options } from 'pino-http';
import { tap, type Observable } from 'rxjs';

export const pinoHttp: Options = {
  // A stream is one request, which ends when one of both has had enough.
  customSuccessMessage: (_request, { writableEnded }) =>
    writableEnded ? 'request completed' : 'the client has left',
  // A ticket in the URL is a secret like a cookie, until it is used.
  redact: ['req.headers.cookie', 'req.headers.authorization', 'req.query.ticket'],
  serializers: {
    req: (request: { url: string }) => ({
      ...request,
      url: request.url.replace(/(?<=[?&]ticket=)[^&]*/, '[Redacted]'),
    }),
  },
};

/** On Fastify with Nest 12, the default of `nestjs-pino` 5.2.1 logs no request. */
const EVERY_ROUTE = { path: '{*path}', method: RequestMethod.ALL };

@Controller()
class NewsController {
  constructor(@InjectPinoLogger(NewsController.name) private readonly logger: PinoLogger) {}

  @Sse('news')
  @SseChannel('news')
  news() {}

  /** What the handler logs for an event names the request of the stream. */
  @Sse('watched')
  @SseChannel('news')
  watched(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(tap(({ id }) => this.logger.info(`event ${id}`)));
  }
}

@Module({
  imports: [LoggerModule.forRoot({ pinoHttp, forRoutes: [EVERY_ROUTE] }), SseModule.forRoot()],
  controllers: [NewsController],
})
export class AppModule {}

export async function createApp() {
  const app = await NestFactory.create(AppModule, { bufferLogs: true });
  // From here on, what the module logs as SseChannels is a line of pino's as well.
  app.useLogger(app.get(Logger));
  return app;
}
