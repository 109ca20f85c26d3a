import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import {
  SseInspectorModule,
  type SseInspectorOptions,
  type SseInspectorRoute,
} from '../../lib/inspector/index.js';
import { startApp, type AppOptions, type TestApp } from '../support/start-app.js';

@Injectable()
export class TokenGuard implements CanActivate {
  /** The addresses that it was asked about. */
  static readonly asked: string[] = [];

  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ url: string; headers: Record<string, string | undefined> }>();
    TokenGuard.asked.push(request.url);
    return request.headers['authorization'] === 'Bearer secret';
  }
}

export const TOKEN = { authorization: 'Bearer secret' };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // What the server says, whatever that is.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface InspectorApp extends TestApp {
  /** Asks with the token. */
  ask(path: string, init?: RequestInit): Promise<Answer>;
}

/** Starts an application whose inspector asks for a token. */
export async function startInspector(
  options: Partial<SseInspectorOptions & SseInspectorRoute> = {},
  appOptions: AppOptions = {},
): Promise<InspectorApp> {
  const testApp = await startApp({
    ...appOptions,
    imports: [
      SseInspectorModule.forRoot({ guards: [TokenGuard], ...options }),
      ...(appOptions.imports ?? []),
    ],
  });
  return { ...testApp, ask: (path, init) => askAt(testApp.url + path, init) };
}

export async function askAt(url: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { ...TOKEN, ...(init.headers as Record<string, string> | undefined) };
  const response = await fetch(url, { redirect: 'manual', ...init, headers });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const body: unknown = isJson ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, body };
}
