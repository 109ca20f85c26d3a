import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { AppModule, type AppOptions } from './app.module.js';
import { clientScript } from './client-script.js';
import { serveDocument } from './open-api.js';
import { publicFolder } from './public-folder.js';

/** The sample as a Nest application that does not listen yet. */
export async function createApp(options: AppOptions): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.register(options), {
    logger: ['error', 'warn'],
    abortOnError: false,
    bodyParser: false,
  });
  // Not strict: a number or a text in quotes is JSON too.
  app.useBodyParser('json', { strict: false, limit: '2mb' });
  app.useBodyParser('text', { type: 'text/*', limit: '2mb' });
  app.useStaticAssets(publicFolder('public'));
  app.useStaticAssets(publicFolder('lounge/public'));
  app.useStaticAssets(publicFolder('answers/public'));
  app.useStaticAssets(publicFolder('rooms/public'));
  app.use('/sse-client.js', (_: Request, response: Response, next: NextFunction) => {
    clientScript().then((script) => response.type('text/javascript').send(script), next);
  });
  serveDocument(app);
  return app;
}
