import { HttpStatus } from '@nestjs/common';
import { answer } from './request-query.js';

/** Who reads a stream. */
export class StreamReader {
  hasLeft = false;
  /** Ends a pause of the stream. */
  wake: () => void = () => undefined;

  leave(): void {
    this.hasLeft = true;
    this.wake();
  }
}

/** Counts streams of one kind, and refuses more than there may be. */
export class OpenStreams {
  size = 0;

  constructor(
    private readonly most: number,
    /** What there are too many of, for people. */
    private readonly what: string,
    private readonly onNone: () => void = () => undefined,
  ) {}

  /** @throws HttpException 503 */
  check(): void {
    if (this.size >= this.most) {
      throw answer(
        HttpStatus.SERVICE_UNAVAILABLE,
        'LIMIT_REACHED',
        `This instance has ${this.most} open ${this.what} of the inspector, as many as there may be. Close one.`,
      );
    }
  }

  /** Counts a stream while it is read. It has to end soon after its reader has left. @throws HttpException 503 */
  counted<T>(stream: (reader: StreamReader) => AsyncIterable<T>): AsyncIterable<T> {
    const reader = new StreamReader();
    const events = this.events(() => stream(reader));
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => events.next(),
        return: () => {
          // Else a generator learns of it with its next event, and there may never be one.
          reader.leave();
          return events.return(undefined);
        },
      }),
    };
  }

  private async *events<T>(stream: () => AsyncIterable<T>): AsyncGenerator<T, undefined> {
    this.check();
    this.size++;
    try {
      yield* stream();
    } finally {
      if (--this.size === 0) {
        this.onNone();
      }
    }
  }
}
