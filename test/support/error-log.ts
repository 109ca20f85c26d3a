import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';

/**
 * A logger for an application that answers with 500, and the messages of the errors that the
 * application logs. Restore the mocks afterwards.
 */
export function errorLog() {
  const lines: string[] = [];
  // Nest's own exception handler logs what is answered with 500.
  jest.spyOn(Logger, 'error').mockImplementation(() => undefined);
  const logger = {
    log: () => undefined,
    warn: () => undefined,
    error: (message: unknown) =>
      void lines.push(message instanceof Error ? message.message : String(message)),
  };
  return { lines, logger: logger as never };
}
