import { HttpStatus } from '@nestjs/common';
import { answer } from './request-query.js';

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

  /** Counts a stream while it is read. @throws HttpException 503 */
  async *counted<T>(stream: () => AsyncIterable<T>): AsyncGenerator<T> {
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
