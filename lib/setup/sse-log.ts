import { Logger } from '@nestjs/common';
import { plainLog } from '../channel/plain-log.js';

/** The log of one application, with what the application counts. */
export const SSE_LOG = Symbol('SSE_LOG');

/** Where the package reports what an operator should know. */
export const sseLog = plainLog(new Logger('SseChannels'));
