import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/**
 * Serves an application of a process of its own on a loopback port, the free one by default, prints
 * `address <url>` for the test that has started it, and ends on SIGTERM.
 */
export async function serveApp(module: Type, port = 0): Promise<void> {
  const app = await NestFactory.create(module, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  await app.listen(port, '127.0.0.1');
  console.log(`address ${await app.getUrl()}`);
}
