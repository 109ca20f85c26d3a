import { HttpStatus } from '@nestjs/common';
import { setTimeout } from 'node:timers/promises';
import { preciseNow } from '../channel/clock.js';
import { Turns } from '../channel/turns.js';
import { answer } from './request-query.js';

/** How many times as long as a piece of work took the next one waits: work takes a tenth of a core at most. */
const REST = 9;
/** The longest wait, in milliseconds. */
const MAX_REST_MS = 1_000;
/** The most pieces of work that wait. */
const MOST_WAITING = 32;

/**
 * Does what walks over all channels or connections, one piece at a time, with rests between them: however many
 * requests come, they leave the instance to its clients.
 */
export class PacedWork {
  private readonly turns = new Turns(1);
  private waiting = 0;
  private restsUntil = 0;

  /** @throws HttpException 503 when too much waits */
  async do<R>(work: () => Promise<R>): Promise<R> {
    if (this.waiting >= MOST_WAITING) {
      throw answer(
        HttpStatus.SERVICE_UNAVAILABLE,
        'LIMIT_REACHED',
        'The inspector has too many requests to answer at the moment. Ask again later.',
      );
    }
    this.waiting++;
    try {
      return await this.turns.take(() => this.next(work));
    } finally {
      this.waiting--;
    }
  }

  private async next<R>(work: () => Promise<R>): Promise<R> {
    const rest = this.restsUntil - preciseNow();
    if (rest >= 1) {
      await setTimeout(rest, undefined, { ref: false });
    }
    const began = preciseNow();
    try {
      return await work();
    } finally {
      const now = preciseNow();
      this.restsUntil = now + Math.min(MAX_REST_MS, (now - began) * REST);
    }
  }
}
