import { Logger } from '@nestjs/common';
import { plainLog } from '../channel/plain-log.js';

/** Where the package reports what an operator should know. */
export const sseLog = plainLog(new Logger('SseChannels'));
