import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { publicFolder } from '../public-folder.js';
import { InstanceModule } from './instance.module.js';

const app = await NestFactory.create<NestExpressApplication>(InstanceModule, {
  logger: ['error', 'warn'],
  bodyParser: false,
});
app.useBodyParser('text', { type: 'text/*', limit: '1mb' });
// The page comes from one instance and reads both.
app.enableCors({ origin: process.env['INSTANCES']!.split(' ') });
app.useStaticAssets(publicFolder('cluster/public'));
app.useStaticAssets(publicFolder('lounge/public'));
app.useStaticAssets(publicFolder('answers/public'));
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT']));
process.send?.('listening');
process.on('disconnect', () => void app.close().then(() => process.exit()));
