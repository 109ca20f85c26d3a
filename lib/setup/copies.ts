import { sseLog } from './sse-log.js';

/** Counts the copies of the package in this process; all of them share the number. */
const LOADED = Symbol.for('nestjs-sse-channels:copies');
const shared = globalThis as { [LOADED]?: number };
shared[LOADED] = (shared[LOADED] ?? 0) + 1;

/** How an application comes to have one copy of the package. */
export const ONE_COPY =
  'Have one for all: `npm ls nestjs-sse-channels` shows who brings which version, and ' +
  '`npm dedupe` puts equal ones together. A library names the package as a peer dependency.';

/** A remark for errors that another copy may cause; empty with one copy. */
export function remarkOnCopies(): string {
  const count = shared[LOADED] ?? 1;
  return count > 1
    ? ` The package nestjs-sse-channels is loaded ${count} times, and decorators and services of ` +
        `one copy do not work with the module of another. ${ONE_COPY}`
    : '';
}

let isTold = false;

/** Warns of copies: Nest cannot inject the service of another copy, and its error does not say so. */
export function warnOfCopies(): void {
  const remark = remarkOnCopies().trimStart();
  if (remark && !isTold) {
    isTold = true;
    sseLog.warn(remark);
  }
}
