// An application with an inspector in a process of its own: prints its address.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { SseInspectorModule } from '../../lib/inspector/index.js';
import { SseModule } from '../../lib/index.js';
import { serveApp } from '../support/serve-app.js';

@Module({
  imports: [SseModule.forRoot(), SseInspectorModule.forRoot({ guards: 'none', path: 'admin/sse' })],
})
class AppModule {}

await serveApp(AppModule);
