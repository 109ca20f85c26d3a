// Angular's packages are compiled as they are loaded.
import '@angular/compiler';
import { HttpClient, provideHttpClient, withFetch } from '@angular/common/http';
import {
  createEnvironmentInjector,
  ɵINJECTOR_SCOPE as INJECTOR_SCOPE,
  provideZonelessChangeDetection,
  type EnvironmentInjector,
} from '@angular/core';
import { SseClient } from 'ngx-sse-client';
import type { Client, ReceivedEvent } from './listening.js';

/** What it waits before it returns, whatever the server says. Its default is 3 s. */
const DELAY_MS = 20;

/** It makes one on Node as well, which has none before Node 23. */
class PageErrorEvent extends Event {}
if (!('ErrorEvent' in globalThis)) Object.assign(globalThis, { ErrorEvent: PageErrorEvent });

/** `ngx-sse-client` on Angular's own HttpClient, which reads by `fetch`. */
export const ngxSseClient: Client['listen'] = (url) => {
  const injector = createEnvironmentInjector(
    [
      { provide: INJECTOR_SCOPE, useValue: 'root' },
      provideZonelessChangeDetection(),
      provideHttpClient(withFetch()),
    ],
    null as unknown as EnvironmentInjector,
  );
  const events: ReceivedEvent[] = [];
  const state = { hasEnded: false };
  const subscription = new SseClient(injector.get(HttpClient))
    .stream(url, { reconnectionDelay: DELAY_MS })
    .subscribe({
      next: (event) => {
        if (!(event instanceof MessageEvent)) return;
        events.push({ type: event.type, data: String(event.data), id: event.lastEventId });
      },
      error: () => (state.hasEnded = true),
      complete: () => (state.hasEnded = true),
    });
  return Object.assign(state, {
    events,
    close: () => {
      subscription.unsubscribe();
      injector.destroy();
    },
  });
};
