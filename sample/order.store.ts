import { Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { DATABASE_URL } from './tokens.js';

/** A row of the table `orders`. */
export interface Order {
  readonly id: number;
  readonly item: string;
}

/** Writes orders in transactions, and reads them. It knows nothing of events. */
@Injectable()
export class OrderStore implements OnApplicationShutdown {
  private readonly pool: pg.Pool;

  constructor(@Inject(DATABASE_URL) url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 5, connectionTimeoutMillis: 5_000 });
    // Without a listener, a server that drops an idle connection ends the process.
    this.pool.on('error', () => {});
  }

  async insert(item: string, commits: boolean): Promise<Order> {
    const client = await this.pool.connect().catch((cause: unknown) => {
      throw new ServiceUnavailableException(
        'Postgres cannot be reached at the moment. Try again.',
        { cause },
      );
    });
    let failure: Error | undefined;
    try {
      await client.query('begin');
      const { rows } = await client.query<Order>(
        'insert into orders (item) values ($1) returning id, item',
        [item],
      );
      await client.query(commits ? 'commit' : 'rollback');
      return rows[0]!;
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      // A connection whose transaction has failed is not given to anybody else.
      client.release(failure);
    }
  }

  /** The newest orders, the newest last. */
  async newest(count: number): Promise<Order[]> {
    const { rows } = await this.pool.query<Order>(
      'select id, item from orders order by id desc limit $1',
      [count],
    );
    return rows.reverse();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
