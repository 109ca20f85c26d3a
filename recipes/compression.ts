import { Controller, Get, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import fastifyCompress from '@fastify/compress';
import compression from 'compression';
import { SseChannel, SseModule } from 'nestjs-sse-channels';

@Controller('prices')
class PricesController {
  @Get()
  all() {
    return Array.from({ length: 200 }, (_, id) => ({ id, price: 100 }));
  }

  @Sse('events')
  @SseChannel('prices')
  events() {}
}

@Module({ imports: [SseModule.forRoot()], controllers: [PricesController] })
export class AppModule {}

/** The module compresses its streams itself. */
@Module({
  imports: [SseModule.forRoot({ compression: 'shared' })],
  controllers: [PricesController],
})
export class CompressedModule {}

export async function onExpress(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule);
  app.use(compression());
  return app;
}

export async function onFastify(): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter());
  await app.register(fastifyCompress);
  return app;
}
