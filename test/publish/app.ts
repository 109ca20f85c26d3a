import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { SsePublishModule, type SsePublishOptions } from '../../lib/publish/index.js';
import type { SsePublishRoute } from '../../lib/publish/index.js';
import { startApp, type AppOptions, type TestApp } from '../support/start-app.js';

export interface Asked {
  readonly headers: Record<string, string | undefined>;
}

@Injectable()
export class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<Asked>();
    return headers['authorization'] === 'Bearer secret';
  }
}

export const TOKEN = { authorization: 'Bearer secret' };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // What the server says, whatever that is.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface PublishApp extends TestApp {
  /** Publishes with the token: an object or array as JSON, text as it is. */
  publish(body: unknown, headers?: Record<string, string>, path?: string): Promise<Answer>;
}

/** Starts an application whose `/publish` asks for a token. */
export async function startPublishApp(
  options: Partial<SsePublishOptions & SsePublishRoute>,
  appOptions: AppOptions = {},
): Promise<PublishApp> {
  const testApp = await startApp({
    ...appOptions,
    imports: [
      SsePublishModule.forRoot({ guards: [TokenGuard], ...options }),
      ...(appOptions.imports ?? []),
    ],
  });
  return { ...testApp, publish: (body, headers, path) => publishTo(testApp, body, headers, path) };
}

export async function publishTo(
  { url }: TestApp,
  body: unknown,
  headers: Record<string, string> = {},
  path = '/publish',
): Promise<Answer> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...TOKEN, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
  };
}
