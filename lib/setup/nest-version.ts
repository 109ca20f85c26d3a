// Importing a name that Nest lacks would fail before this could say why.
import * as nest from '@nestjs/common';
import { SseError } from '../channel/sse-error.js';

if (!('SSE_ABORT_CONTROLLER' in nest)) {
  throw new SseError(
    'MISSING_PEER',
    'nestjs-sse-channels needs Nest 11.2.8 or later, and this application has an older one. ' +
      'Install it: npm install @nestjs/common@^11.2.8 @nestjs/core@^11.2.8, with the platform and ' +
      'the other packages of that version of Nest.',
  );
}

/** The property of a request that holds what `@SseSignal()` gives to a handler. */
export const { SSE_ABORT_CONTROLLER } = nest;
