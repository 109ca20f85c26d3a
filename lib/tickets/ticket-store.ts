import { monotonicNow } from '../channel/clock.js';
import { SseError } from '../channel/sse-error.js';

/** Keeps tickets by their digests until they are taken or expire. */
export interface TicketStore {
  /**
   * @param ttl the ticket's lifetime, in milliseconds
   * @throws SseError `UNAVAILABLE`, `LIMIT_REACHED`
   */
  put(digest: string, content: string, ttl: number): Promise<void>;
  /**
   * Takes a ticket out. Of several calls, one gets it.
   * @throws SseError `UNAVAILABLE`
   */
  take(digest: string): Promise<string | undefined>;
}

/** The most tickets that this process keeps. */
const MAX_TICKETS = 100_000;
/** How often `put()` drops expired tickets, in milliseconds. */
const SWEEP_MS = 1_000;

/** The tickets of this process. */
export class MemoryTicketStore implements TicketStore {
  private readonly tickets = new Map<string, { content: string; until: number }>();
  private sweptAt = -Infinity;

  constructor(private readonly most = MAX_TICKETS) {}

  async put(digest: string, content: string, ttl: number): Promise<void> {
    const now = monotonicNow();
    if (now - this.sweptAt >= SWEEP_MS) {
      this.sweptAt = now;
      this.sweep(now);
    }
    if (this.tickets.size >= this.most) {
      throw new SseError(
        'LIMIT_REACHED',
        `This process keeps ${this.most} tickets that are neither used nor expired. ` +
          'Limit how many one client may have, or issue them for a shorter time.',
      );
    }
    this.tickets.set(digest, { content, until: now + ttl });
  }

  async take(digest: string): Promise<string | undefined> {
    const ticket = this.tickets.get(digest);
    this.tickets.delete(digest);
    return ticket && monotonicNow() < ticket.until ? ticket.content : undefined;
  }

  private sweep(now: number): void {
    for (const [digest, { until }] of this.tickets) {
      if (until <= now) {
        this.tickets.delete(digest);
      }
    }
  }
}
