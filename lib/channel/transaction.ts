import type { PublishOptions } from './source.js';
import { SseError } from './sse-error.js';

/**
 * For brokers that write nothing within transactions. To pass the option over would send the
 * events of transactions that are rolled back.
 * @throws SseError `NOT_CONFIGURED`
 */
export function refuseTransaction(options: PublishOptions | undefined): void {
  if (options?.transaction !== undefined) {
    throw new SseError(
      'NOT_CONFIGURED',
      'send() was given a `transaction`, and this broker writes nothing within transactions. Use the ' +
        "event table: SseModule.forRoot({ postgres: 'postgres://…', broker: 'event-table' }), or leave it out.",
    );
  }
}
