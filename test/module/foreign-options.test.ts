import { describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { SseModuleOptions } from '../../lib/index.js';
import { pgConfig } from '../../lib/sources/postgres/postgres.options.js';
import { checkRedisOption, redisOptions } from '../../lib/sources/redis/redis-option.js';
import { startApp } from '../support/start-app.js';

/** A node-redis client, a PrismaClient, a Knex: whatever is no `ioredis` and no `pg`. */
const client = (...functions: string[]) =>
  Object.assign(
    new EventEmitter(),
    Object.fromEntries(functions.map((name) => [name, () => undefined])),
  );

class DatabaseSettings {
  constructor(private readonly environment: Record<string, string>) {}
  get host() {
    return this.environment['HOST'];
  }
}

class EmptySettings {}

/** A TypeORM DataSource and a Sequelize have query() and options of their own. */
const dataSource = { query: () => undefined, options: { username: 'me', host: 'db' } };

const CASES: ['redis' | 'postgres', object | (() => void), string][] = [
  ['redis', { url: 'redis://db' }, '`url`, which ioredis does not know. Write the URL itself'],
  ['redis', { uri: 'redis://db' }, '`uri`'],
  [
    'redis',
    { socket: { host: 'db' } },
    '`socket`, which ioredis does not know. Write what is in it',
  ],
  ['redis', { hostname: 'db' }, '`hostname`, which ioredis does not know. Write `host`'],
  ['redis', { host: 'db', user: 'me' }, '`user`, which ioredis does not know. Write `username`'],
  ['redis', { host: 'db', auth_pass: 'x' }, '`auth_pass`, which ioredis does not know. Write `p'],
  ['redis', { host: 'db', database: 1 }, '`database`, which ioredis does not know. Write `db`'],
  ['redis', { host: 'db', ssl: true }, '`ssl`, which ioredis does not know. Write `tls: {}`'],
  ['redis', { rootNodes: [] }, '`rootNodes`, which ioredis does not know. Write a client'],
  ['redis', { connection: { host: 'db' } }, '`connection`'],
  ['redis', { options: { host: 'db' } }, '`options`'],
  ['redis', { url: 'https://db', token: 'x' }, '`url`'],
  ['redis', { hots: 'db' }, '`hots`, which ioredis does not know. Write `host`'],
  ['redis', { host: 'db', prot: 6380 }, '`prot`, which ioredis does not know. Write `port`'],
  ['redis', { HOST: 'db' }, '`HOST`, which ioredis does not know. Write `host`'],
  ['redis', { whatever: 1 }, 'names no server'],
  ['redis', { host: '' }, 'has an empty `host`'],
  ['redis', [{ host: 'db' }], 'is an array'],
  ['redis', () => undefined, 'is a function'],
  ['redis', Promise.resolve('redis://db'), 'is a promise'],
  ['redis', new URL('redis://db'), 'is a URL object'],
  ['redis', client('sendCommand'), 'is a client of another package than ioredis'],
  ['redis', client('get', 'set'), 'is a client of another package than ioredis'],
  ['redis', new EmptySettings(), 'is an object of a class, without any option'],
  ['postgres', { url: 'postgres://db' }, '`url`, which pg does not know. Write `connectionString`'],
  ['postgres', { host: 'db', username: 'me' }, '`username`, which pg does not know. Write `user`'],
  ['postgres', { host: 'db', pass: 'x' }, '`pass`, which pg does not know. Write `password`'],
  ['postgres', { host: 'db', dbname: 'x' }, '`dbname`, which pg does not know. Write `database`'],
  ['postgres', { hostname: 'db' }, '`hostname`, which pg does not know. Write `host`'],
  [
    'postgres',
    { host: 'db', sslmode: 'require' },
    '`sslmode`, which pg does not know. Write `ssl`',
  ],
  [
    'postgres',
    { client: 'pg', connection: {} },
    '`client`, which pg does not know. Write the other',
  ],
  ['postgres', { type: 'postgres', host: 'db' }, '`type`, which pg does not know. Write the other'],
  ['postgres', { entities: [] }, 'names no server'],
  ['postgres', { host: 'db', databse: 'x' }, '`databse`, which pg does not know. Write `database`'],
  ['postgres', { host: '' }, 'has an empty `host`'],
  ['postgres', () => undefined, 'is a function'],
  ['postgres', Promise.resolve('postgres://db'), 'is a promise'],
  ['postgres', client('$connect'), 'is a client of another package than pg'],
  ['postgres', client('raw', 'select'), 'is a client of another package than pg'],
  ['postgres', dataSource, 'neither a pg.Client nor a pg.Pool'],
  ['postgres', new EmptySettings(), 'is an object of a class, without any option'],
];

const check = {
  redis: checkRedisOption,
  postgres: (value: unknown) => pgConfig('postgres', value),
};

describe('Options of another library', () => {
  it.each(CASES)('for %s: %p cause an error: %s', (name, value, message) => {
    expect(() => check[name](value)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(message),
      }),
    );
  });

  it.each([
    ['redis', '`redis` has the key `url`'],
    ['postgres', '`postgres` has the key `url`'],
    ['listenConnection', '`listenConnection` has the key `url`'],
  ])('for %s keep the application from starting', async (name, message) => {
    const postgres = name === 'listenConnection' && { postgres: 'postgres://db' };
    const options = { ...postgres, [name]: { url: 'redis://db' } } as SseModuleOptions;
    await expect(startApp({ options })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(message),
    });
  });
});

describe('Options that name the server', () => {
  it('may have keys from a later release of the library', () => {
    const options = { host: 'db', somethingNew: true };
    expect(pgConfig('postgres', options)).toEqual(options);
    expect(() => checkRedisOption(options)).not.toThrow();
  });

  it('may have keys without a value', () => {
    const options = { host: 'db', url: undefined, username: undefined, user: undefined };
    expect(pgConfig('postgres', options)).toMatchObject({ host: 'db' });
    expect(() => checkRedisOption(options)).not.toThrow();
  });

  it('may all be defaults', () => {
    expect(pgConfig('postgres', {})).toEqual({});
    expect(() => checkRedisOption({})).not.toThrow();
  });

  it('may come from the getters of a class', () => {
    const settings = new DatabaseSettings({ HOST: 'db' });
    expect(pgConfig('postgres', settings)).toMatchObject({ host: 'db' });
    checkRedisOption(settings);
    expect(redisOptions(settings)).toMatchObject({ host: 'db' });
  });
});
