import { Controller, ForbiddenException, Sse, UnauthorizedException } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import { Authorization } from '../../lib/endpoint/authorization.js';
import { SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { errorLog } from '../support/error-log.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface AppRequest {
  readonly headers: Record<string, string | undefined>;
  readonly query: { readonly of: string };
}

const named = ({ query }: AppRequest) => query.of.split(',');

/** The channels that were asked about in the test at hand. */
const asked: string[] = [];

/** The name of a channel says how the application answers about it. */
function authorize({ headers }: AppRequest, channel: string): boolean | Promise<boolean> {
  asked.push(channel);
  switch (channel.split(':')[0]) {
    case 'open':
      return true;
    case 'later':
      return Promise.resolve(true);
    case 'own':
      return channel === `own:${headers['x-user']}`;
    case 'throws':
      throw new Error('it throws');
    case 'rejects':
      return Promise.reject(new Error('it rejects'));
    case 'status':
      throw new UnauthorizedException('first log in');
    case 'never':
      return new Promise(() => undefined);
    case 'text':
      return 'yes' as never;
    case 'nothing':
      return undefined as never;
    default:
      return false;
  }
}

@Controller()
class RoomsController {
  @Sse('one/:name')
  @SseChannel('{name}', { authorize })
  one() {}

  @Sse('several')
  @SseChannel(named, { authorize })
  several() {}

  @Sse('handled')
  @SseChannel(named, { authorize })
  handled() {
    return NEVER;
  }

  @Sse('plain')
  @SseChannel(named)
  plain() {}

  @Sse('bare')
  @SseChannel()
  bare() {
    return NEVER;
  }
}

const deniedOf = (data: string) => (JSON.parse(data) as { channels: string[] }).channels;

describe.each(ADAPTERS)('authorize on %s', (adapter) => {
  afterEach(async () => {
    asked.length = 0;
    await closeApps();
  });

  const start = async (options: SseModuleOptions = {}) => {
    const { lines, logger } = errorLog();
    const app = await startApp({ adapter, options, controllers: [RoomsController], logger });
    const as = (user: string, path: string, lastEventId?: string) =>
      app.connect(path, {
        headers: { 'x-user': user },
        ...(lastEventId !== undefined && { lastEventId }),
      });
    return { ...app, as, lines };
  };

  it('lets a client in whose channel is allowed, and answers 403 to others', async () => {
    const { as, sse } = await start();
    const ann = await as('ann', '/one/open');
    await sse.send('open', 'hello');
    expect((await ann.next()).data).toBe('hello');
    expect((await as('ann', '/one/closed')).opened.status).toBe(403);
    expect((await as('ann', '/several?of=own:ann,later')).opened.status).toBe(200);
    expect((await as('bob', '/several?of=own:ann')).opened.status).toBe(403);
    expect((await as('bob', '/several?of=closed,own:ann')).opened.status).toBe(403);
    expect(sse.stats()).toMatchObject({ connections: 2, opening: 0, readers: 3 });
    expect(sse.stats().channels).toBe(3);
  });

  it.each(['/several', '/handled'])(
    'leaves denied channels of %s out, and tells the client at once',
    async (path) => {
      const { as, sse } = await start();
      const ann = await as('ann', `${path}?of=closed,own:ann,own:bob,later`);
      const denied = await ann.next();
      expect(denied.type).toBe('sse:denied');
      expect(deniedOf(denied.data)).toEqual(['closed', 'own:bob']);
      expect(denied.frame.id).toBeUndefined();
      expect(JSON.parse(ann.opening!.data)).toMatchObject({ channels: ['own:ann', 'later'] });
      expect(ann.opening!.id.split(',')).toHaveLength(2);
      expect(sse.connections()[0]!.channels).toEqual(['own:ann', 'later']);
      expect(sse.connections({ channel: 'own:bob' })).toEqual([]);
      // Nothing of them was opened.
      expect(sse.stats()).toMatchObject({ channels: 2 });
    },
  );

  it('decides anew when a client returns, whose position in a denied channel has no effect', async () => {
    const { as, sse } = await start();
    const bob = await as('bob', '/several?of=later,own:bob');
    await sse.send('own:bob', 'seen');
    await bob.next();
    await bob.close();
    await sse.send('own:bob', 'missed');
    await sse.send('later', 'also missed');
    // The request is of somebody else now.
    const ann = await as('ann', '/several?of=later,own:bob', bob.lastEventId);
    const events = await ann.take(2);
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['sse:denied', '{"channels":["own:bob"]}'],
      ['message', 'also missed'],
    ]);
    expect(ann.lastEventId).not.toContain(',');
  });

  it.each([
    ['text', /`authorize` of RoomsController.several returned .*it must return true or false/],
    ['nothing', /returned undefined; it must return true or false/],
    ['throws', /^it throws$/],
    ['rejects', /^it rejects$/],
  ])('refuses the request with an error when an answer is: %s', async (name, message) => {
    const { as, sse, lines } = await start();
    expect((await as('ann', `/several?of=open,${name}`)).opened.status).toBe(500);
    expect(lines).toEqual([expect.stringMatching(message)]);
    expect(sse.stats()).toMatchObject({ connections: 0, opening: 0, channels: 0 });
  });

  it('passes an answer of the application on, as a status', async () => {
    const { as, lines } = await start();
    const ann = await as('ann', '/several?of=open,status');
    expect([ann.opened.status, ann.body]).toEqual([401, expect.stringMatching(/first log in/)]);
    expect(lines).toEqual([]);
  });

  it('is not waited for at shutdown', async () => {
    const { as, sse, lines } = await start();
    const connecting = as('ann', '/several?of=open,never');
    await until(() => asked.includes('never'));
    expect(sse.stats().opening).toBe(1);
    await closeApps();
    expect((await connecting).opened.status).toBe(200);
    expect(lines).toEqual([]);
    expect(sse.stats()).toMatchObject({ connections: 0, opening: 0, channels: 0 });
  });

  it('of the module is asked for endpoints without one, and not without channels', async () => {
    const { as } = await start({ authorize: (_, channel) => channel !== 'open' });
    expect((await as('ann', '/plain?of=open')).opened.status).toBe(403);
    expect((await as('ann', '/plain?of=closed')).opened.status).toBe(200);
    expect((await as('ann', '/one/open')).opened.status).toBe(200);
    expect((await as('ann', '/bare')).opened.status).toBe(200);
    expect(asked).toEqual(['open']);
  });
});

describe('An authorization', () => {
  const of = (answer: (request: object, channel: string) => unknown, timeout?: number) =>
    new Authorization(answer as never, {}, 'Here.there', (work) => work, timeout);

  it('asks about 1,000 channels in their order, 10 at a time at most', async () => {
    const names = Array.from({ length: 1_000 }, (_, i) => `${i}`);
    const order: string[] = [];
    let [underWay, most] = [0, 0];
    const { allowed, denied } = await of(async (_, channel) => {
      order.push(channel);
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return Number(channel) % 3 > 0;
    }).decide(names);
    expect(most).toBe(10);
    expect(order).toEqual(names);
    expect(allowed).toEqual(names.filter((name) => Number(name) % 3 > 0));
    expect(denied).toEqual(names.filter((name) => Number(name) % 3 === 0));
  });

  it('fails when an answer does not come in time, and asks no more', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `${i}`);
    let count = 0;
    const never = () => {
      count++;
      return new Promise(() => undefined);
    };
    await expect(of(never, 20).decide(names)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: '`authorize` of Here.there gave no answer within 20 ms.',
    });
    expect(count).toBe(10);
  });

  it('asks no more after an error, which it passes on', async () => {
    const order: string[] = [];
    const names = Array.from({ length: 100 }, (_, i) => `${i}`);
    const error = new ForbiddenException('not this one');
    const deciding = of(async (_, channel) => {
      order.push(channel);
      await new Promise(setImmediate);
      if (channel === '3') throw error;
      return true;
    }).decide(names);
    await expect(deciding).rejects.toBe(error);
    await new Promise(setImmediate);
    expect(order.length).toBeLessThanOrEqual(20);
  });

  it.each([[true], ['yes'], [{}]])('is refused with %j', (option) => {
    const decorate = (channels: string | undefined, given: unknown) =>
      SseChannel(channels, { authorize: given as never })(class {}.prototype, 'method', {
        value: () => undefined,
      });
    expect(() => decorate('a', option)).toThrow(/`authorize` .* a function of the request and a/);
    expect(() => decorate(undefined, () => true)).toThrow(/`authorize` has no effect without a/);
  });
});
