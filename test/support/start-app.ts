import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SseModule, SseService, type SseModuleOptions } from '../../lib/index.js';
import { SseTestClient, type SseTestClientOptions } from '../../lib/testing/index.js';

/** The HTTP frameworks that every endpoint has to work on. */
export const ADAPTERS = ['express', 'fastify'] as const;

export type Adapter = (typeof ADAPTERS)[number];

export interface AppOptions {
  readonly adapter?: Adapter;
  /** An adapter made with options of its own, in place of `adapter`. */
  readonly httpAdapter?: AbstractHttpAdapter;
  readonly options?: SseModuleOptions;
  readonly controllers?: Type[];
  readonly providers?: ModuleMetadata['providers'];
  readonly imports?: ModuleMetadata['imports'];
  /** Changes the application before it listens. */
  readonly prepare?: (app: INestApplication) => void;
  /** The loopback port it listens on. Default: a free one. */
  readonly port?: number;
  /** The address it listens at. Default: 127.0.0.1. */
  readonly host?: string;
  /** What Nest logs. Default: nothing. */
  readonly logger?: Parameters<INestApplication['useLogger']>[0];
}

/** An application that listens on a free loopback port. */
export interface TestApp {
  readonly app: INestApplication;
  readonly sse: SseService;
  readonly url: string;
  /** Connects a client, which is closed with the application. */
  connect(path: string, options?: SseTestClientOptions): Promise<SseTestClient>;
  close(): Promise<void>;
}

const started = new Set<TestApp>();

/** Starts an application with the module. */
export async function startApp({
  adapter = 'express',
  httpAdapter = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter(),
  options = {},
  controllers = [],
  providers = [],
  imports = [],
  prepare,
  port = 0,
  host = '127.0.0.1',
  logger = false,
}: AppOptions): Promise<TestApp> {
  const module = await Test.createTestingModule({
    imports: [SseModule.forRoot(options), ...imports],
    controllers,
    providers,
  })
    .setLogger(logger === false ? SILENT : (logger as typeof SILENT))
    .compile();
  const app = module.createNestApplication(httpAdapter, { logger });
  prepare?.(app);
  await app.listen(port, host);
  const clients = new Set<SseTestClient>();
  const url = await app.getUrl();
  const testApp: TestApp = {
    app,
    sse: app.get(SseService),
    url,
    connect: async (path, clientOptions) => {
      const client = await SseTestClient.connect(url + path, clientOptions);
      clients.add(client);
      return client;
    },
    close: async () => {
      started.delete(testApp);
      await Promise.all([...clients].map((client) => client.close()));
      await app.close();
    },
  };
  started.add(testApp);
  return testApp;
}

/** Closes every application that a test has left open. For `afterEach`. */
export async function closeApps(): Promise<void> {
  await Promise.all([...started].map((app) => app.close()));
}

const nothing = (): void => undefined;

const SILENT = {
  log: nothing,
  error: nothing,
  warn: nothing,
  debug: nothing,
  verbose: nothing,
  fatal: nothing,
};
