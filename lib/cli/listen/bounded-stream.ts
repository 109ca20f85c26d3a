import type { ClientResponse } from '../client-parts.js';
import { failureOf } from '../http-failure.js';

/** The most bytes that may come without the end of an event: far more than `limits.eventSize` lets a server send. */
const MOST_BYTES = 64 * 1024 * 1024;

/** The body of a stream, which tells in words why it breaks off, and ends where an event has no end. */
export class BoundedStream {
  private bytes = 0;

  /** @param onEndless called once, when more has come than an event can have */
  constructor(private readonly onEndless: (text: string) => void) {}

  /** An event has come to its end. */
  ended(): void {
    this.bytes = 0;
  }

  /** The answer with its body under watch. */
  of(response: ClientResponse): ClientResponse {
    const { status, headers, body } = response;
    return { status, headers, body: body && { getReader: () => this.reader(body.getReader()) } };
  }

  private reader(reader: Reader): Reader {
    return {
      read: async () => {
        const piece = await reader.read().catch((error: unknown) => {
          throw failureOf(error, 'The connection has broken off');
        });
        this.bytes += piece.value?.length ?? 0;
        if (this.bytes > MOST_BYTES) {
          this.onEndless(`An event has more than ${MOST_BYTES} bytes, or no end.`);
          return { done: true };
        }
        return piece;
      },
    };
  }
}

type Reader = ReturnType<NonNullable<ClientResponse['body']>['getReader']>;
