import { setTimeout as sleep } from 'node:timers/promises';
import { SseTestClient } from '../../lib/testing/index.js';
import type { Random } from '../channel/random.js';

/**
 * Clients that come and go at random. One that loses its stream returns to another instance, as a browser
 * does behind a load balancer.
 */
export class Crowd {
  private readonly open = new Map<SseTestClient, string>();
  private readonly pending = new Set<Promise<void>>();
  private isMoving = true;
  moves = 0;

  constructor(
    private readonly random: Random,
    private readonly users: readonly string[],
    /** The address of an instance that answers. */
    private readonly pickUrl: () => string,
  ) {}

  /** Moves clients until it is told to rest. */
  async move(): Promise<void> {
    this.isMoving = true;
    while (this.isMoving) {
      this.moves++;
      const clients = [...this.open.keys()];
      if (
        clients.length > 2 * this.users.length ||
        (clients.length > 0 && this.random.chance(0.5))
      ) {
        this.note(this.close(clients[this.random.below(clients.length)]!));
      } else {
        this.note(this.come(this.users[this.random.below(this.users.length)]!));
      }
      await sleep(20 + this.random.below(40));
    }
  }

  /** Nobody comes, goes or returns any more. Resolves when those on their way have arrived. */
  async rest(): Promise<void> {
    this.isMoving = false;
    while (this.pending.size > 0) {
      await Promise.all(this.pending);
    }
  }

  /** How many connections each has that is connected. */
  get present(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const user of this.open.values()) {
      counts[user] = (counts[user] ?? 0) + 1;
    }
    return counts;
  }

  async end(): Promise<void> {
    this.isMoving = false;
    await Promise.all([...this.open.keys()].map((client) => this.close(client)));
  }

  private note(work: Promise<void>): void {
    const noted = work.finally(() => this.pending.delete(noted));
    this.pending.add(noted);
  }

  private async come(user: string): Promise<void> {
    const client = await connectAs(user, this.pickUrl());
    if (client?.isOpen) {
      this.open.set(client, user);
      void client.closed.then(({ by }) => this.lost(client, user, by));
    }
  }

  private lost(client: SseTestClient, user: string, by: string): void {
    this.open.delete(client);
    if (by !== 'client' && this.isMoving) {
      this.note(sleep(this.random.below(800)).then(() => this.come(user)));
    }
  }

  private async close(client: SseTestClient): Promise<void> {
    this.open.delete(client);
    await client.close();
  }
}

/** A client of the channel `a`; `undefined` where the instance dies before it has answered. */
export async function connectAs(user: string, url: string): Promise<SseTestClient | undefined> {
  return SseTestClient.connect(`${url}/announced/a`, {
    headers: { 'x-user': user },
    deadline: 60_000,
  }).catch(() => undefined);
}
