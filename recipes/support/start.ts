import 'reflect-metadata';
import {
  Logger,
  type DynamicModule,
  type INestApplicationContext,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SseTestClient, type SseTestClientOptions } from 'nestjs-sse-channels/testing';
import type { INestApplication } from '@nestjs/common';
import { SseService } from 'nestjs-sse-channels';

Logger.overrideLogger(false);

/** The HTTP frameworks that a recipe has to work on, unless it is about one of them. */
export const ADAPTERS = ['express', 'fastify'] as const;
export type Adapter = (typeof ADAPTERS)[number];

/** A recipe's application, as it listens on a free loopback port. */
export interface Running {
  readonly app: INestApplication;
  readonly sse: SseService;
  readonly url: string;
  connect(path: string, options?: SseTestClientOptions): Promise<SseTestClient>;
}

const closers: (() => unknown)[] = [];

/** Has something closed by {@link closeAll}, before what was given earlier. */
export function closeLater(close: () => unknown): void {
  closers.unshift(close);
}

/** Closes everything that a test has opened. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0)) await close();
}

export async function createApp(
  module: Type | DynamicModule,
  adapter: Adapter,
): Promise<INestApplication> {
  const httpAdapter = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  return NestFactory.create(module, httpAdapter, { abortOnError: false });
}

/** Makes an application listen. */
export async function listen(app: INestApplication): Promise<Running> {
  closeLater(() => app.close());
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    url,
    sse: app.get(SseService),
    connect: async (path, options) => {
      const client = await SseTestClient.connect(url + path, options);
      closeLater(() => client.close());
      return client;
    },
  };
}

/** Starts a module as an application. */
export async function start(
  module: Type | DynamicModule,
  adapter: Adapter = 'express',
): Promise<Running> {
  return listen(await createApp(module, adapter));
}

/** Has a context, such as a worker's, closed at the end of the test. */
export function closing<T extends INestApplicationContext>(context: T): T {
  closeLater(() => context.close());
  return context;
}
