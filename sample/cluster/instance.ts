import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { InstanceModule } from './instance.module.js';

const app = await NestFactory.create<NestExpressApplication>(InstanceModule, {
  logger: ['error', 'warn'],
  bodyParser: false,
});
app.useBodyParser('text', { type: 'text/*', limit: '1mb' });
// The page comes from one instance and reads both.
app.enableCors({ origin: process.env['INSTANCES']!.split(' ') });
app.useStaticAssets(publicFolder());
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT']));
process.send?.('listening');
process.on('disconnect', () => void app.close().then(() => process.exit()));

/** The compiler copies no pages: from its output the way leads back to the source. */
function publicFolder(): string {
  const beside = fileURLToPath(new URL('./public/', import.meta.url));
  return existsSync(beside)
    ? beside
    : fileURLToPath(new URL('../../../sample/cluster/public/', import.meta.url));
}
