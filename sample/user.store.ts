import { Inject, Injectable, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { DATABASE_URL } from './tokens.js';

/** A row of the table `users`. */
export interface User {
  readonly id: number;
  readonly name: string;
  readonly status: string;
}

/** Writes users. It knows nothing of events. */
@Injectable()
export class UserStore implements OnApplicationShutdown {
  private readonly pool: pg.Pool;

  constructor(@Inject(DATABASE_URL) url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 5, connectionTimeoutMillis: 5_000 });
    // Without a listener, a server that drops an idle connection ends the process.
    this.pool.on('error', () => {});
  }

  async insert({ name, status }: Omit<User, 'id'>): Promise<User> {
    const [user] = await this.query(
      'insert into users (name, status) values ($1, $2) returning id, name, status',
      [name, status],
    );
    return user!;
  }

  async update(id: number, { name, status }: Partial<Omit<User, 'id'>>): Promise<User> {
    const [user] = await this.query(
      'update users set name = coalesce($2, name), status = coalesce($3, status) where id = $1 returning id, name, status',
      [id, name, status],
    );
    if (user === undefined) throw new NotFoundException(`No user has the id ${id}.`);
    return user;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }

  private async query(sql: string, values: unknown[]): Promise<User[]> {
    try {
      return (await this.pool.query<User>(sql, values)).rows;
    } catch (error) {
      // An answer of Postgres is a mistake of ours; anything else means there was none.
      if (error instanceof pg.DatabaseError && !/^(08|57P)/.test(error.code ?? '')) throw error;
      throw new ServiceUnavailableException(
        'Postgres cannot be reached at the moment. Try again.',
        { cause: error },
      );
    }
  }
}
