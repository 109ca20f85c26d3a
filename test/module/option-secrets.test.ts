import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import { PostgresListener } from '../../lib/sources/postgres/postgres-listener.js';
import { pgConfig } from '../../lib/sources/postgres/postgres.options.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { checkRedisOption } from '../../lib/sources/redis/redis-option.js';
import { RecordingLogger } from '../postgres/listen-recording.js';
import { postgresUrl } from '../support/databases.js';
import { freePort } from '../support/free-port.js';
import { holds } from '../support/property.js';

/** Parts that appear nowhere else; none may be shown, not even one of several. */
const part = fc.stringMatching(/^Zq[0-9]{4}$/);
/** A password with what people forget to encode, or leave out, at any place. */
const secret = fc
  .array(fc.tuple(part, fc.constantFrom('', '@', ':', '/', '?', '#', '%', '&', '=', ' ', '%zz')), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => ({ text: parts.flat().join(''), parts: parts.map(([text]) => text) }));

const TEMPLATES = [
  'SCHEME://user:SECRET@host:1/db',
  'SCHEME://user:SECRET@/db',
  'SCHEME://user:SECRET@host:99999/db',
  'SCHEME://:SECRET@host',
  'SCHEME://SECRET@host',
  'SCHEME://user:SECRET',
  'SCHEME://SECRET',
  'SCHEME:user:SECRET@host',
  'SCHEME:/user:SECRET@host',
  'SCHEME:///user:SECRET@host',
  'SCHEME//user:SECRET@host/db',
  'user:SECRET@host:1/db',
  'SECRET@host',
  'SECRET',
  'SCHEME://host:1/db?password=SECRET',
  'SCHEME://ho st/db?user=user&password=SECRET',
  'SCHEME://host/db?pasword=SECRET&x=%zz',
  'host=host user=user password=SECRET',
  "password = 'SECRET' host=host",
  'SECRET://host',
  'jdbc:SCHEME://host/db?password=SECRET',
  'SCHEME://host/SECRET',
];

const url = fc
  .record({
    template: fc.constantFrom(...TEMPLATES),
    scheme: fc.constantFrom('postgres', 'postgresql', 'redis', 'rediss', 'postgress', 'http', ''),
    secret,
    /** Characters of the template that are left out. */
    cuts: fc.array(fc.nat(40), { maxLength: 2 }),
  })
  .map(({ template, scheme, secret: { text, parts }, cuts }) => {
    const cut = template.split('').filter((_, index) => !cuts.includes(index));
    return { text: cut.join('').replace('SCHEME', scheme).replace('SECRET', text), parts };
  });

const option = fc.oneof(
  { weight: 3, arbitrary: url.map(({ text, parts }) => ({ option: text as unknown, parts })) },
  fc
    .tuple(url, fc.constantFrom('url', 'connectionString', 'host', 'port', 'pass', 'path', 'x'))
    .map(([{ text, parts }, key]) => ({ option: { [key]: text } as unknown, parts })),
  url.map(({ text, parts }) => ({ option: [text, { password: text }] as unknown, parts })),
  fc
    .tuple(secret, fc.constantFrom('password', 'user', 'host', 'port', 'db', 'socket', 'ssl'))
    .map(([{ text, parts }, key]) => ({ option: { prot: 1, [key]: text } as unknown, parts })),
);

/** Everything that a program could print of an error. */
function printed(error: unknown): string {
  const { message, stack, cause } = error as Error;
  return [message, stack, inspect(error, { depth: 9, showHidden: true }), inspect(cause)].join(
    '\n',
  );
}

const CHECKS: [string, (value: unknown) => unknown][] = [
  ['redis', checkRedisOption],
  ['postgres', (value) => pgConfig('postgres', value)],
];

describe('A password', () => {
  it.each(CHECKS)(
    'does not appear in the error for a wrong `%s`, wherever it stands',
    async (_, check) => {
      let refused = 0;
      let tried = 0;
      await holds(
        fc.property(option, (given) => {
          let error: unknown;
          tried++;
          try {
            check(given.option);
            return;
          } catch (thrown) {
            error = thrown;
          }
          refused++;
          expect(error).toMatchObject({ code: 'INVALID_OPTION' });
          const text = printed(error);
          expect(given.parts.filter((secretPart) => text.includes(secretPart))).toEqual([]);
        }),
        { quick: 300, soak: 30_000 },
      );
      expect(refused).toBeGreaterThan(tried / 2);
    },
  );

  it('does not appear when its server cannot be reached', async () => {
    const port = await freePort();
    const forms = [
      `//me:Zq1234@127.0.0.1:${port}/0`,
      `//Zq1234@127.0.0.1:${port}/0`,
      `//127.0.0.1:${port}/0?user=me&password=Zq1234`,
    ];
    const shown: string[] = [];
    for (const form of forms) {
      const log = new RecordingLogger();
      const postgres = new PostgresConnection(`postgres:${form}`);
      const times = { healthInterval: 1_000, timeout: 1_000 };
      const listener = new PostgresListener(postgres.listenConfig, log, times);
      const redis = new RedisConnection(`redis:${form}`, log);
      for (const attempt of [
        () => postgres.query('select 1'),
        () => listener.start(true),
        () => redis.start(true),
      ]) {
        const error: unknown = await attempt().catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: 'UNAVAILABLE' });
        shown.push(printed(error));
      }
      await Promise.all([postgres.stop(), listener.stop(), redis.stop()]);
      shown.push(...log.errors, ...log.warnings, ...log.logs);
    }
    expect(shown.length).toBeGreaterThanOrEqual(9);
    expect(shown.filter((text) => text.includes('Zq1234'))).toEqual([]);
  });

  it('does not appear when its server refuses it', async () => {
    const wrong = new URL(postgresUrl());
    wrong.password = 'Zq1234';
    const log = new RecordingLogger();
    const connection = new PostgresConnection(wrong.href);
    const times = { healthInterval: 1_000, timeout: 5_000 };
    const listener = new PostgresListener(connection.listenConfig, log, times);
    for (const attempt of [() => connection.query('select 1'), () => listener.start(true)]) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ message: expect.stringContaining('password') });
      expect(printed(error)).not.toContain('Zq1234');
    }
    await Promise.all([connection.stop(), listener.stop()]);
    expect(log.errors.join()).not.toContain('Zq1234');
  });
});
