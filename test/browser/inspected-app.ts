// An application with an inspector in a process of its own: prints its address.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseInspectorModule } from '../../lib/inspector/index.js';
import { SseModule } from '../../lib/index.js';

@Module({
  imports: [SseModule.forRoot(), SseInspectorModule.forRoot({ guards: 'none', path: 'admin/sse' })],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
console.log(`address ${await app.getUrl()}`);
