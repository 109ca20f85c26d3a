import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
// In an app of yours: from 'nestjs-sse-channels/swagger'.
import { describeSseChannels } from '../lib/swagger/index.js';

/** Serves the OpenAPI document of the sample: the page at `/api`, the document at `/api-json`. */
export function serveDocument(app: INestApplication): void {
  const config = new DocumentBuilder()
    .setTitle('nestjs-sse-channels, the sample')
    .setDescription('Follow a stream by `curl -N`: "Execute" waits for its end.')
    .setOpenAPIVersion('3.2.0')
    .build();
  // Made for the first request, so that nobody else waits for it at the start.
  SwaggerModule.setup('api', app, () =>
    describeSseChannels(app, () => SwaggerModule.createDocument(app, config)),
  );
}
