import {
  Controller,
  Get,
  Injectable,
  Sse,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EMPTY } from 'rxjs';
import {
  SseChannel,
  SseTicketGuard,
  SseTickets,
  ticketOf,
  type SseModuleOptions,
} from '../../lib/index.js';
import { MemoryTicketStore } from '../../lib/tickets/ticket-store.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { withRedis } from '../redis/instances.js';

interface AppRequest {
  readonly headers: Record<string, string | undefined>;
}

@Injectable()
class CookieAndTicketGuard implements CanActivate {
  constructor(private readonly tickets: SseTickets) {}

  async canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<AppRequest>();
    await this.tickets.redeem(request, { client: request.headers['x-user']! });
    return true;
  }
}

@Controller('events')
class EventsController {
  @Sse('jobs/:id')
  @UseGuards(SseTicketGuard)
  @SseChannel('job:{id}')
  job() {}

  @Sse('mine')
  @UseGuards(SseTicketGuard)
  @SseChannel((request: AppRequest) => ticketOf(request)!.channels)
  mine() {}

  @Sse('chosen/:id')
  @UseGuards(SseTicketGuard)
  @SseChannel((request: { params: { id: string } }) => [`job:${request.params.id}`, 'news'])
  chosen() {}

  @Sse('known/:id')
  @UseGuards(SseTicketGuard)
  @SseChannel('job:{id}', { client: (request: AppRequest) => request.headers['x-user'] })
  known() {}

  @Sse('both/:id')
  @UseGuards(CookieAndTicketGuard)
  @SseChannel('job:{id}')
  both() {}

  @Get('plain')
  @UseGuards(SseTicketGuard)
  plain() {
    return 'plain';
  }
}

const ANN = { channel: 'job:1', client: 'ann' };

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const STORES = ['memory', 'redis'] as const;

describe.each(ADAPTERS.flatMap((adapter) => STORES.map((store) => ({ adapter, store }))))(
  'Tickets on $adapter, kept in $store',
  ({ adapter, store }) => {
    afterEach(closeApps);

    const start = async (options: SseModuleOptions = {}) => {
      const started = await startApp({
        adapter,
        controllers: [EventsController],
        providers: [CookieAndTicketGuard],
        options: { ...options, ...(store === 'redis' && { redis: redis.url }) },
      });
      const tickets = started.app.get(SseTickets);
      // The first call may come before the connection is there.
      await until(() => tickets.issue(ANN).catch(() => undefined));
      const answered = async (path: string, headers = {}) => {
        const { opened } = await started.connect(`/events/${path}`, { headers });
        return opened.status;
      };
      return { ...started, tickets, answered };
    };

    it('open one stream of their channel', async () => {
      const { tickets, answered, connect, sse } = await start();
      const ticket = await tickets.issue(ANN);
      expect(ticket).toMatch(/^[\w-]{43}$/);
      const client = await connect(`/events/jobs/1?ticket=${ticket}`);
      expect(client.opened.status).toBe(200);
      await until(() => client.lastEventId);
      await sse.send('job:1', 'for Ann');
      expect((await client.next()).data).toBe('for Ann');

      expect(await answered(`jobs/1?ticket=${ticket}`)).toBe(401);
      // Nor to resume: whoever has read the URL knows no less than the page.
      const returned = `jobs/1?ticket=${ticket}&lastEventId=${client.lastEventId}`;
      expect(await answered(returned)).toBe(401);
    });

    it('let a page resume by a new ticket', async () => {
      const { tickets, connect, sse } = await start();
      const first = await connect(`/events/jobs/1?ticket=${await tickets.issue(ANN)}`);
      const position = await until(() => first.lastEventId);
      await first.close();
      await sse.send('job:1', 'missed');
      const ticket = await tickets.issue(ANN);
      const second = await connect(`/events/jobs/1?ticket=${ticket}&lastEventId=${position}`);
      expect((await second.next()).data).toBe('missed');
    });

    it('open no other channel, and are used up by the attempt', async () => {
      const { tickets, answered } = await start();
      const ticket = await tickets.issue(ANN);
      expect(await answered(`jobs/2?ticket=${ticket}`)).toBe(403);
      expect(await answered(`jobs/1?ticket=${ticket}`)).toBe(401);
      // A resolver that names one more than was issued for.
      const one = await tickets.issue(ANN);
      expect(await answered(`chosen/1?ticket=${one}`)).toBe(403);
      const both = await tickets.issue({ channel: ['news', 'job:1'], client: 'ann' });
      expect(await answered(`chosen/1?ticket=${both}`)).toBe(200);
      const own = await tickets.issue({ channel: ['a', 'b'], client: 'ann' });
      expect(await answered(`mine?ticket=${own}`)).toBe(200);
    });

    it('open nothing for another client', async () => {
      const { tickets, answered } = await start();
      const issue = () => tickets.issue(ANN);
      expect(await answered(`known/1?ticket=${await issue()}`, { 'x-user': 'bob' })).toBe(403);
      expect(await answered(`known/1?ticket=${await issue()}`, { 'x-user': 'ann' })).toBe(200);
      expect(await answered(`known/1?ticket=${await issue()}`)).toBe(200);
      expect(await answered(`both/1?ticket=${await issue()}`, { 'x-user': 'bob' })).toBe(401);
      expect(await answered(`both/1?ticket=${await issue()}`, { 'x-user': 'ann' })).toBe(200);
      // A guard of theirs that does not know the client does not pass for one that need not.
      expect(await answered(`both/1?ticket=${await issue()}`)).toBe(401);
    });

    it('make the limits count their client instead of the address', async () => {
      const { tickets, answered } = await start({ limits: { connectionsPerClient: 1 } });
      const as = async (client: string) =>
        answered(`jobs/1?ticket=${await tickets.issue({ channel: 'job:1', client })}`);
      expect(await as('ann')).toBe(200);
      expect(await as('bob')).toBe(200);
      expect(await as('ann')).toBe(429);
    });

    it('expire', async () => {
      const { tickets, answered } = await start();
      const ticket = await tickets.issue({ ...ANN, ttl: 1 });
      await sleep(20);
      expect(await answered(`jobs/1?ticket=${ticket}`)).toBe(401);
    });

    it('work for one of a hundred requests that come at once', async () => {
      const { tickets, answered } = await start();
      const ticket = await tickets.issue(ANN);
      const uses = Array.from({ length: 100 }, () => answered(`jobs/1?ticket=${ticket}`));
      const results = await Promise.all(uses);
      expect(results.filter((result) => result === 200)).toHaveLength(1);
      expect(results.filter((result) => result === 401)).toHaveLength(99);
    });

    it('must be texts that the server has issued', async () => {
      const { tickets, answered } = await start();
      const [one, two] = [await tickets.issue(ANN), await tickets.issue(ANN)];
      const hostile = [
        '',
        '?ticket=',
        `?ticket=${'a'.repeat(43)}`,
        `?ticket=${'a'.repeat(8_000)}`,
        `?ticket=${one}%00`,
        `?ticket=${one}%0A`,
        `?ticket=${one}&ticket=${two}`,
        `?ticket[]=${one}`,
        `?ticket[$ne]=x`,
        '?ticket=__proto__',
        '?ticket=*',
        `?Ticket=${one}`,
      ];
      for (const query of hostile) {
        expect([query, await answered(`jobs/1${query}`)]).toEqual([query, 401]);
      }
      // None of them has spent it.
      expect(await answered(`jobs/1?ticket=${one}`)).toBe(200);
      for (const query of [undefined, null, {}, { ticket: { length: 43 } }, { ticket: 43 }]) {
        await expect(tickets.redeem({ query })).rejects.toMatchObject({ status: 401 });
      }
    });

    it('cannot guard an endpoint whose channels are unknown before its handler runs', async () => {
      const { tickets, answered } = await start();
      expect(await answered(`plain?ticket=${await tickets.issue(ANN)}`)).toBe(500);

      @Controller()
      class OwnStreamController {
        @Sse('own')
        @UseGuards(SseTicketGuard)
        @SseChannel()
        own() {
          return EMPTY;
        }
      }
      await expect(startApp({ adapter, controllers: [OwnStreamController] })).rejects.toMatchObject(
        {
          code: 'INVALID_OPTION',
          message: expect.stringMatching(/OwnStreamController\.own, whose channels it cannot know/),
        },
      );
    });
  },
);

describe('SseTickets.issue()', () => {
  afterEach(closeApps);

  it.each([
    [undefined, 'INVALID_OPTION', /`options` is undefined/],
    [{ client: 'ann' }, 'INVALID_OPTION', /`channel` is/],
    [{ channel: [], client: 'ann' }, 'INVALID_OPTION', /an array of 1 to 1000/],
    [{ channel: 7, client: 'ann' }, 'INVALID_OPTION', /`channel` is 7/],
    [{ channel: '', client: 'ann' }, 'INVALID_CHANNEL', /empty/],
    [{ channel: ['a', 7], client: 'ann' }, 'INVALID_CHANNEL', /^A channel's name is/],
    [{ channel: 'a\0', client: 'ann' }, 'INVALID_CHANNEL', /control characters/],
    [{ channel: 'a' }, 'INVALID_OPTION', /`client` is/],
    [{ channel: 'a', client: '' }, 'INVALID_OPTION', /`client` is ""/],
    [{ channel: 'a', client: 7 }, 'INVALID_OPTION', /1 to 1024 characters/],
    [{ ...ANN, ttl: 0 }, 'INVALID_OPTION', /`ttl` is 0; .* from 1 to 300000/],
    [{ ...ANN, ttl: 300_001 }, 'INVALID_OPTION', /`ttl`/],
    [{ ...ANN, ttl: Infinity }, 'INVALID_OPTION', /`ttl`/],
    [{ ...ANN, user: 'ann' }, 'INVALID_OPTION', /there is no option `user`/],
  ])('refuses %j', async (options, code, message) => {
    const { app } = await startApp({});
    await expect(app.get(SseTickets).issue(options as never)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('keeps a bounded number in this process, and drops those that have expired', async () => {
    const store = new MemoryTicketStore(100);
    const fill = async (count: number, ttl: number) => {
      for (let i = 0; i < count; i++) await store.put(`${ttl}:${i}`, '{}', ttl);
    };
    await fill(100, 100);
    await expect(store.put('one', '{}', 1)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect(await store.take('100:0')).toBe('{}');
    await store.put('one', 'more', 300_000);
    await sleep(1_100);
    await fill(99, 300_000);
    await expect(fill(1, 300_001)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect(await store.take('one')).toBe('more');
    expect(await store.take('one')).toBeUndefined();
  });

  it('logs a warning where other instances do not know the tickets', async () => {
    const lines: string[] = [];
    const logger = { log() {}, error() {}, warn: (line: string) => void lines.push(line) };
    const broker = { open: () => ({ close() {} }), publish: () => Promise.resolve('1') };
    const { app } = await startApp({ logger, options: { broker: broker as never } });
    await app.get(SseTickets).issue(ANN);
    await app.get(SseTickets).issue(ANN);
    const told = lines.filter((line) => line.includes('other instances refuse'));
    expect(told).toHaveLength(1);
  });
});

describe('Tickets in Redis', () => {
  afterEach(closeApps);

  const start = async (url: string, options: SseModuleOptions = {}) => {
    const started = await startApp({
      controllers: [EventsController],
      providers: [CookieAndTicketGuard],
      options: { redis: url, ...options },
    });
    const tickets = started.app.get(SseTickets);
    await until(() => tickets.issue(ANN).catch(() => undefined));
    return { ...started, tickets };
  };

  it('work once, on any instance', async () => {
    const [one, two] = [await start(redis.url), await start(redis.url)];
    const ticket = await one.tickets.issue(ANN);
    const uses = Array.from({ length: 100 }, (_, i) =>
      (i % 2 ? one : two).tickets.redeem({ query: { ticket } }).then(
        () => 1,
        () => 0,
      ),
    );
    const won = await Promise.all(uses);
    expect(won.reduce<number>((sum, each) => sum + each, 0)).toBe(1);
  });

  it('cannot be read from Redis, and expire there', async () => {
    const prefix = 'kept:';
    const { tickets } = await start(redis.url, { redisStreams: { prefix } });
    const ticket = await tickets.issue({ ...ANN, ttl: 20_000 });
    await withRedis(redis.url, async (client) => {
      const digest = createHash('sha256').update(ticket).digest('base64url');
      expect(await client.pttl(`${prefix}ticket:${digest}`)).toBeGreaterThan(10_000);
      const keys = await client.keys('*');
      const texts = await Promise.all(
        keys.filter((key) => key.startsWith(prefix)).map((key) => client.get(key)),
      );
      expect(JSON.stringify([keys, texts])).not.toContain(ticket);
      expect(await client.ttl(`${prefix}ticket:${digest}`)).toBeLessThanOrEqual(20);

      // What another program writes there opens nothing.
      for (const foreign of ['', '{', 'null', '7', '[]', '{"channels":"job:1","client":"ann"}']) {
        await client.set(`${prefix}ticket:${digest}`, foreign);
        await expect(tickets.redeem({ query: { ticket } })).rejects.toMatchObject({ status: 401 });
      }
      await client.del(`${prefix}ticket:${digest}`);
      await client.lpush(`${prefix}ticket:${digest}`, 'a list');
      await expect(tickets.redeem({ query: { ticket } })).rejects.toMatchObject({ status: 503 });
    });
  });

  it('are refused while Redis is away or silent, and no log line shows one', async () => {
    const own = await startRedis();
    const lines: string[] = [];
    const keep = (...line: unknown[]) => void lines.push(line.map(String).join(' '));
    const logger = { log: keep, error: keep, warn: keep };
    try {
      const started = await startApp({
        controllers: [EventsController],
        providers: [CookieAndTicketGuard],
        options: { redis: own.url, drainTimeout: 200 },
        logger,
      });
      const tickets = started.app.get(SseTickets);
      const ticket = await until(() => tickets.issue(ANN).catch(() => undefined));
      const status = async () =>
        (await started.connect(`/events/jobs/1?ticket=${ticket}`)).opened.status;

      process.kill(own.pid, 'SIGSTOP');
      expect(await status()).toBe(503);
      process.kill(own.pid, 'SIGCONT');

      await own.kill();
      await until(async () => (await status()) === 503);
      await expect(tickets.issue(ANN)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(lines.join('\n')).not.toContain(ticket);
      await started.close();
    } finally {
      await own.stop();
    }
  });
});
