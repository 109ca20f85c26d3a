import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Sse, type Type } from '@nestjs/common';
import type { Observable } from 'rxjs';
import {
  requestedChannels,
  SseChannel,
  SseEvents,
  type SseEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import { startApp, type Adapter, type TestApp } from '../support/start-app.js';

@Controller()
class NumbersController {
  @Sse('plain')
  @SseChannel('plain')
  plain() {}

  @Sse('several')
  @SseChannel(() => ['a', 'b', 'c'])
  several() {}

  /** The channels of `several` for clients that ask for channels. */
  @Sse('requested')
  @SseChannel(requestedChannels({ only: ['a', 'b', 'c'] }))
  requested() {}

  @Sse('handled')
  @SseChannel('handled')
  handled(@SseEvents() events$: Observable<SseEvent>) {
    return events$;
  }
}

/** The streams of {@link startNumbersApp}. */
export const STREAMS = ['/plain', '/several', '/handled'] as const;

/** How many milliseconds clients are told to wait before they return, or half as much again. */
const RETRY_MS = 20;

/** An application whose streams a test fills with numbered events. */
export interface NumbersApp extends TestApp {
  /** The answers to all requests for a path so far, in order. */
  statusesOf(path: string): number[];
}

export interface NumbersAppOptions {
  readonly options?: SseModuleOptions;
  /** What else it serves. */
  readonly controllers?: readonly Type[];
}

export async function startNumbersApp(
  adapter: Adapter,
  { options = {}, controllers = [] }: NumbersAppOptions = {},
): Promise<NumbersApp> {
  const retain = { events: 100_000, bytes: 100_000_000 };
  const all: SseModuleOptions = { retry: RETRY_MS, retain, ...options };
  const app = await startApp({
    adapter,
    controllers: [NumbersController, ...controllers],
    options: all,
    prepare: (nest) => nest.enableCors(),
  });
  const answers: { path: string | undefined; response: ServerResponse }[] = [];
  const server = app.app.getHttpServer() as {
    on(
      name: 'request',
      listener: (request: IncomingMessage, response: ServerResponse) => void,
    ): void;
  };
  server.on('request', ({ url }, response) => {
    const path = url?.split('?')[0];
    answers.push({ path: path === '/requested' ? '/several' : path, response });
  });
  return Object.assign(app, {
    statusesOf: (path: string) =>
      answers.filter((answer) => answer.path === path).map(({ response }) => response.statusCode),
  });
}
