import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Session } from '../../lib/sources/postgres/session.js';
import { createDatabase } from '../support/databases.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('A session', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let session: Session;

  beforeEach(async () => {
    database = await createDatabase();
    session = await Session.open(
      { connectionString: database.url },
      { purpose: 'event table' },
      new AbortController().signal,
    );
  });

  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  it('does not keep answers that it has handed over', async () => {
    const answers: WeakRef<object>[] = [];
    for (let query = 0; query < 100; query++) {
      answers.push(
        new WeakRef(await session.query({ text: 'select repeat($1, 10000)', values: ['x'] })),
      );
    }
    // A WeakRef is kept for the rest of the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    const kept = answers.filter((answer) => answer.deref() !== undefined);
    // pg itself keeps the last one.
    expect(kept.length).toBeLessThanOrEqual(2);
  });

  it('rejects the statements under way when its connection is lost', async () => {
    const waiting = [1, 2].map(async () => session.query({ text: 'select pg_sleep(60)' }));
    const reasons = Promise.allSettled(waiting);
    await session.close();
    const told = (await reasons).map(({ status }) => status);
    expect(told).toEqual(['rejected', 'rejected']);
  });
});
