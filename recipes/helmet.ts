import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import fastifyHelmet from '@fastify/helmet';
import helmet from 'helmet';
import { SseChannel, SseModule } from 'nestjs-sse-channels';

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

@Module({ imports: [SseModule.forRoot()], controllers: [NewsController] })
export class AppModule {}

const options = {
  contentSecurityPolicy: {
    // For the pages that this application serves: where their EventSource may connect to.
    directives: { connectSrc: ["'self'", 'https://events.example'] },
  },
};

export async function onExpress(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule);
  app.use(helmet(options));
  return app;
}

export async function onFastify(): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
  await app.register(fastifyHelmet, options);
  return app;
}
