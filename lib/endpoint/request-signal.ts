import { SSE_ABORT_CONTROLLER } from '../setup/nest-version.js';
import type { Exchange } from './exchange.js';

/** Gives a request the signal that `@SseSignal()` reads: it aborts when the client leaves. */
export function provideSignal(exchange: Exchange): void {
  let controller: AbortController | undefined;
  Object.defineProperty(exchange.request, SSE_ABORT_CONTROLLER, {
    configurable: true,
    get: () => {
      if (!controller) {
        const made = (controller = new AbortController());
        exchange.onceClosed(() => made.abort());
      }
      return controller;
    },
  });
}
