import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { INestApplication, Type } from '@nestjs/common';
import type { Platform } from './peer.js';

/** A Nest application on a free port of the loopback. */
export async function listeningApplication(
  module: Type,
  platform: Platform,
): Promise<INestApplication> {
  const options = {
    logger: ['error', 'warn'] as ('error' | 'warn')[],
    forceCloseConnections: true,
  };
  const app =
    platform === 'fastify'
      ? await NestFactory.create(
          module,
          new FastifyAdapter({ forceCloseConnections: true }),
          options,
        )
      : await NestFactory.create(module, options);
  await app.listen(0, '127.0.0.1');
  return app;
}
