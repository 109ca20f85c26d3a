import pg from 'pg';
import type { Random } from '../channel/random.js';
import type { EventTable } from '../../lib/sources/event-table/event-table.js';

/** The channels that the writers write to. */
export const TOPICS = ['first', 'second', 'third'];

/** Creates what the writers need beside the event table. */
export const FUZZ_SQL = `
  create table fuzz_rows (id bigint generated always as identity primary key, text text not null);
  create constraint trigger fuzz_deferred after insert on fuzz_rows
    deferrable initially deferred for each row execute function sse.row_event('first', 'text');
  create table fuzz_bulk (id bigint generated always as identity primary key, text text not null);
  create trigger fuzz_bulk after insert on fuzz_bulk referencing new table as sse_rows
    for each statement execute function sse.statement_event('second', 'text');
  create table fuzz_now (id bigint generated always as identity primary key, text text not null);
  create trigger fuzz_now after insert on fuzz_now
    for each row execute function sse.row_event('third', 'text');
`;

/** What became of the transactions of all writers. */
export interface Written {
  /** Events whose transaction has surely been committed. */
  readonly committed: string[];
  /** Events whose transaction has surely been rolled back. */
  readonly rolledBack: string[];
  /** Transactions by kind. */
  readonly kinds: Record<string, number>;
}

export interface Writer {
  readonly url: string;
  readonly name: string;
  /** When it ends, as `Date.now()` tells it. */
  readonly until: number;
  readonly random: Random;
}

/** Writes random transactions with one connection until the deadline. */
export async function writeRandomly(
  { url, name, until, random }: Writer,
  written: Written,
  publisher: EventTable,
): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'writer' });
  client.on('error', () => undefined);
  await client.connect();
  let count = 0;
  try {
    while (Date.now() < until) {
      const events: string[] = [];
      const next = (): string => {
        const text = `${name}-${++count}`;
        events.push(text);
        return text;
      };
      const kind = await transaction(client, { name, random }, next, publisher);
      written.kinds[kind.name] = (written.kinds[kind.name] ?? 0) + 1;
      const lost = new Set(kind.undone);
      if (kind.isCommitted) {
        written.committed.push(...events.filter((text) => !lost.has(text)));
        written.rolledBack.push(...kind.undone);
      } else if (kind.isCommitted === false) {
        written.rolledBack.push(...events);
      }
      await pause(random.chance(0.3) ? random.next() * 10 : 0);
    }
  } finally {
    await client.end();
  }
}

interface Outcome {
  readonly name: string;
  /** `undefined` when the connection was killed before the answer. */
  readonly isCommitted: boolean | undefined;
  /** Events that a rollback to a savepoint has undone. */
  readonly undone: readonly string[];
}

async function transaction(
  client: pg.Client,
  { name, random }: Pick<Writer, 'name' | 'random'>,
  next: () => string,
  publisher: EventTable,
): Promise<Outcome> {
  if (random.chance(0.15)) {
    const text = next();
    // Rejected when the test has just killed its connection: then it may or may not be committed.
    const isCommitted = await publisher.publish(TOPICS[random.below(3)]!, { data: text }).then(
      () => true,
      () => undefined,
    );
    return { name: isCommitted ? 'send' : 'send unknown', isCommitted, undone: [] };
  }
  await client.query('begin');
  const undone: string[] = [];
  for (let part = 0; part < 1 + random.next() * 4; part++) {
    const isUndone = random.chance(0.2);
    const mine: string[] = [];
    if (isUndone) await client.query('savepoint part');
    await write(client, random, () => {
      mine.push(next());
      return mine.at(-1)!;
    });
    await pause(random.chance(0.15) ? random.next() * 25 : 0);
    if (isUndone) {
      await client.query('rollback to savepoint part');
      undone.push(...mine);
    }
  }
  if (random.chance(0.1)) {
    const id = `${name}-${next()}`;
    undone.push(id.slice(name.length + 1));
    await client.query(`prepare transaction '${id}'`);
    await pause(random.next() * 40);
    const isCommitted = random.chance(0.7);
    await client.query(`${isCommitted ? 'commit' : 'rollback'} prepared '${id}'`);
    return { name: `2PC ${isCommitted ? 'commit' : 'rollback'}`, isCommitted, undone };
  }
  const isCommitted = random.chance(0.8);
  await client.query(isCommitted ? 'commit' : 'rollback');
  return { name: isCommitted ? 'commit' : 'rollback', isCommitted, undone };
}

async function write(client: pg.Client, random: Random, next: () => string): Promise<void> {
  const way = random.below(4);
  if (way === 0) {
    await client.query('insert into fuzz_rows (text) values ($1), ($2)', [next(), next()]);
  } else if (way === 1) {
    const texts = Array.from({ length: 1 + random.next() * 20 }, next);
    await client.query('insert into fuzz_bulk (text) select unnest($1::text[])', [texts]);
  } else if (way === 2) {
    await client.query('insert into fuzz_now (text) values ($1)', [next()]);
  } else {
    await client.query('select sse.publish($1, $2)', [TOPICS[random.below(3)], next()]);
  }
}

function pause(ms: number): Promise<void> | undefined {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined;
}
