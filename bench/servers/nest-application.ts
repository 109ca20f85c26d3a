import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { INestApplication, Type } from '@nestjs/common';
import { TLS } from './tls.js';
import type { Platform, Protocol } from './peer.js';

/** A Nest application on a free port of the loopback. On Express it has no TLS. */
export async function listeningApplication(
  module: Type,
  platform: Platform,
  protocol: Protocol = 'http',
): Promise<INestApplication> {
  const options = {
    logger: ['error', 'warn'] as ('error' | 'warn')[],
    forceCloseConnections: true,
  };
  const app =
    platform === 'fastify'
      ? await NestFactory.create(module, fastifyAdapter(protocol), options)
      : await NestFactory.create(module, options);
  await app.listen(0, '127.0.0.1');
  return app;
}

function fastifyAdapter(protocol: Protocol): FastifyAdapter {
  const forceCloseConnections = true;
  switch (protocol) {
    case 'http':
      return new FastifyAdapter({ forceCloseConnections });
    case 'https':
      return new FastifyAdapter({ forceCloseConnections, https: TLS });
    case 'http2':
      return new FastifyAdapter({ http2: true, https: TLS });
  }
}
