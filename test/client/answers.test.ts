import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ClientStatus, SseClient } from '../../lib/client/index.js';
import { until } from '../support/until.js';
import { ClientRig, Told } from './client-rig.js';

type Answer = [status: number, headers?: Record<string, string>];

const rig = new ClientRig();
/** What stands before the application answers the next requests; then these pass. */
let answers: Answer[] = [];
/** What the requests had to say who they are, in order. */
let tokens: (string | undefined)[] = [];
let accepts: (token: string | undefined) => boolean = () => true;

function before(
  { headers, url }: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  if (!url?.startsWith('/stream') && !url?.startsWith('/plain')) return next();
  tokens.push(headers.authorization);
  const [status, more] = accepts(headers.authorization) ? (answers.shift() ?? []) : [401];
  if (status === undefined) next();
  else response.writeHead(status, more).end();
}

/** Each status of a client, with what was wrong. */
function statusesOf(client: SseClient): string[] {
  const all: string[] = [];
  client.onStatus((status: ClientStatus, error) =>
    all.push(error ? `${status}: ${error.message}` : status),
  );
  return all;
}

beforeEach(() => {
  answers = [];
  tokens = [];
  accepts = () => true;
});
afterEach(() => rig.close());

describe('SseClient', () => {
  it.each([408, 425, 429, 500, 502, 503, 504, 520])(
    'returns after %d, to where it was',
    async (status) => {
      await rig.start({ before });
      const told = new Told();
      const client = rig.client();
      client.subscribe('news', told.handlers);
      await told.has('open');
      const statuses = statusesOf(client);
      rig.proxy.refuse();
      rig.proxy.cut();
      await rig.streams(0);
      await rig.app.sse.send('news', 'missed');
      answers = [[status], [status], [status]];
      rig.proxy.accept();
      await told.has('missed');
      expect(told.all).toEqual(['open', 'open', 'missed']);
      expect(statuses.filter((one) => one === `waiting: The answer is ${status}.`)).toHaveLength(3);
      expect(statuses.at(-1)).toBe('open');
    },
  );

  it.each([400, 402, 404, 405, 410, 422])('is closed by %d, and tells why', async (status) => {
    await rig.start({ before });
    answers = [[status]];
    const told = new Told();
    const client = rig.client();
    const statuses = statusesOf(client);
    client.subscribe('news', told.handlers);
    await told.has(`error:The answer is ${status}.`);
    expect(statuses).toEqual(['connecting', `closed: The answer is ${status}.`]);
    expect(told.all).toHaveLength(1);
    // Who subscribes anew tries again.
    client.subscribe('news', told.handlers);
    await told.has('open');
    expect(client.status).toBe('open');
  });

  it('tells the status of the answer with the error', async () => {
    await rig.start({ before });
    answers = [[404]];
    const error = await new Promise((onError) => void rig.client().subscribe('news', { onError }));
    expect(error).toMatchObject({ name: 'SseClientError', status: 404 });
  });

  it('ends a loop and an observer with the error', async () => {
    await rig.start({ before });
    answers = [[404]];
    const reading = rig.client().subscribe('news');
    const observed = new Promise((error) => reading.subscribe({ error }));
    await expect(reading[Symbol.asyncIterator]().next()).rejects.toThrow('The answer is 404.');
    expect(await observed).toMatchObject({ status: 404 });
  });

  it('keeps what is open when a change is refused for good', async () => {
    await rig.start({ before });
    const told = new Told();
    const client = rig.client();
    client.subscribe('news', told.handlers);
    await told.has('open');
    const statuses = statusesOf(client);
    answers = [[400]];
    const other = new Told();
    client.subscribe('other', other.handlers);
    await other.has('error:The answer is 400.');
    await rig.app.sse.send('news', 'still here');
    await told.has('still here');
    expect(statuses).toEqual(['open: The answer is 400.']);
    client.subscribe('another', other.handlers);
    await other.has('open');
    expect(told.all).toEqual(['open', 'still here']);
  });

  it('keeps what it has while there is no room for more', async () => {
    await rig.start({ options: { limits: { connections: 1 } } });
    const [told, other] = [new Told(), new Told()];
    const client = rig.client();
    client.subscribe('news', told.handlers);
    await told.has('open');
    const more = client.subscribe('other', other.handlers);
    // It is told to return after 15 to 60 seconds, so this is the only attempt for now.
    await until(() => rig.app.sse.stats().refused.capacity > 0);
    await rig.app.sse.send('news', 'still here');
    await told.has('still here');
    expect(other.all).toEqual([]);
    more.close();
    await rig.app.sse.send('news', 'and here');
    await told.has('and here');
    expect(told.all).toEqual(['open', 'still here', 'and here']);
  });

  it('asks for the token anew once after 401, and at each return', async () => {
    await rig.start({ before });
    let count = 0;
    let valid = 'Bearer 2';
    accepts = (token) => token === valid;
    const told = new Told();
    const client = rig.client({ token: async () => String(++count) });
    client.subscribe('news', told.handlers);
    await told.has('open');
    expect(tokens).toEqual(['Bearer 1', 'Bearer 2']);
    // It has expired meanwhile; the one that the client gets first has as well.
    valid = 'Bearer 4';
    rig.proxy.cut();
    await told.has('open', 2);
    expect(tokens).toEqual(['Bearer 1', 'Bearer 2', 'Bearer 3', 'Bearer 4']);
    expect(told.all).toEqual(['open', 'open']);
  });

  it('is closed by a second 401', async () => {
    await rig.start({ before });
    accepts = () => false;
    const told = new Told();
    const headers = () => ({ authorization: 'mine' });
    rig.client({ headers }).subscribe('news', told.handlers);
    await told.has('error:The answer is 401.');
    expect(tokens).toEqual(['mine', 'mine']);
  });

  it('asks for the token anew after each 401 that follows another answer', async () => {
    await rig.start({ before });
    answers = [[401], [503], [401], [503], [401]];
    const told = new Told();
    rig.client().subscribe('news', told.handlers);
    await told.has('open');
    expect(tokens).toHaveLength(6);
    expect(told.all).toEqual(['open']);
  });

  it('asks twice for each subscription that follows a second 401', async () => {
    await rig.start({ before });
    accepts = () => false;
    const client = rig.client();
    for (const asked of [2, 4]) {
      const told = new Told();
      client.subscribe('news', told.handlers);
      await told.has('error:The answer is 401.');
      expect(tokens).toHaveLength(asked);
    }
  });

  it('waits while the headers cannot be had', async () => {
    await rig.start({ before });
    let count = 0;
    const headers = () => {
      if (++count < 3) throw new Error('no token yet');
      return { authorization: 'mine' };
    };
    const told = new Told();
    const client = rig.client({ headers });
    const statuses = statusesOf(client);
    client.subscribe('news', told.handlers);
    await told.has('open');
    expect(statuses.filter((one) => one.endsWith('no token yet'))).toHaveLength(2);
    expect(tokens).toEqual(['mine']);
  });

  it('takes Retry-After in seconds, as a date, and as nonsense', async () => {
    await rig.start({ before });
    const past = new Date(Date.now() - 60_000).toUTCString();
    answers = [
      [503, { 'retry-after': '1' }],
      [503, { 'retry-after': past }],
      [503, { 'retry-after': 'soon' }],
    ];
    const told = new Told();
    rig.client().subscribe('news', told.handlers);
    await told.has('open');
    expect(tokens).toHaveLength(4);
  });

  it('waits when the answer is a page, and says so', async () => {
    await rig.start({ before });
    answers = [[200, { 'content-type': 'text/html' }]];
    const told = new Told();
    const client = rig.client();
    const statuses = statusesOf(client);
    client.subscribe('news', told.handlers);
    await told.has('open');
    expect(statuses).toContain('waiting: The answer is no event stream: text/html.');
  });

  it('is told of refused channels, and reads the others', async () => {
    await rig.start();
    const [open, refused] = [new Told(), new Told()];
    const client = rig.client();
    client.subscribe('news', open.handlers);
    client.subscribe('secret-1', refused.handlers);
    await refused.has('denied');
    await rig.app.sse.send('news', 'for all');
    await open.has('for all');
    expect(refused.all).toEqual(['denied']);
    expect(open.all).toEqual(['open', 'for all']);
    expect(rig.proxy.accepted).toBe(1);
  });

  it('is closed by 403 when all are refused', async () => {
    await rig.start();
    const told = new Told();
    const client = rig.client();
    const statuses = statusesOf(client);
    client.subscribe('secret-1', told.handlers);
    const loop = client.subscribe('secret-2')[Symbol.asyncIterator]();
    await expect(loop.next()).rejects.toThrow('The server refuses the channel "secret-2".');
    expect(told.all).toEqual(['denied']);
    expect(statuses).toEqual(['connecting', 'closed: The answer is 403.']);
  });

  it('is told of the end of channels, one after the other, and stops after the last', async () => {
    await rig.start({ before });
    const [one, two] = [new Told(), new Told()];
    const client = rig.client();
    client.subscribe('one', one.handlers);
    client.subscribe('two', two.handlers);
    await two.has('open');
    await rig.app.sse.complete('one');
    await one.has('end');
    await rig.app.sse.send('two', 'goes on');
    await two.has('goes on');
    rig.proxy.cut();
    await two.has('open', 2);
    await rig.app.sse.complete('two');
    await two.has('end');
    await rig.streams(0);
    expect(client.status).toBe('closed');
    expect(one.all).toEqual(['open', 'end']);
    expect(two.all).toEqual(['open', 'goes on', 'open', 'end']);
    expect(tokens).toHaveLength(2);
  });

  it('takes 204 for the end of all', async () => {
    await rig.start({ before });
    answers = [[204]];
    const told = new Told();
    const client = rig.client();
    client.subscribe('news', told.handlers);
    await told.has('end');
    expect(client.status).toBe('closed');
  });

  it('gets a reset after a restart of the server', async () => {
    await rig.start();
    const told = new Told();
    const client = rig.client();
    client.subscribe('news', told.handlers);
    await told.has('open');
    await rig.app.sse.send('news', 'before');
    await told.has('before');
    const statuses = statusesOf(client);
    await rig.restart(() =>
      until(() => statuses.filter((one) => one.startsWith('waiting: TypeError')).length > 2),
    );
    await told.has('reset:unknown-position');
    await rig.app.sse.send('news', 'after');
    await told.has('after');
    expect(told.all).toEqual(['open', 'before', 'open', 'reset:unknown-position', 'after']);
  });

  it('gives up a connection that has died without a sign', async () => {
    await rig.start({ options: { heartbeat: 50 } });
    const told = new Told();
    rig.client({ silence: 1_000 }).subscribe('news', told.handlers);
    await told.has('open');
    rig.proxy.freeze();
    await rig.app.sse.send('news', 'held back');
    await until(() => rig.proxy.accepted > 1);
    rig.proxy.cut();
    rig.proxy.thaw();
    await told.has('held back');
    expect(told.all).toEqual(['open', 'open', 'held back']);
  });

  it('reads an endpoint of one channel, and refuses one that brings others', async () => {
    await rig.start();
    const told = new Told();
    rig.client({}, '/plain').subscribe('plain', told.handlers);
    await told.has('open');
    rig.proxy.refuse();
    rig.proxy.cut();
    await rig.streams(0);
    await rig.app.sse.send('plain', 'missed');
    rig.proxy.accept();
    await told.has('missed');
    const other = new Told();
    rig.client({}, '/plain').subscribe('news', other.handlers);
    await until(() => other.all.length > 0);
    expect(other.all[0]).toContain('brings "plain" unasked');
  });

  it('needs a fetch() that reads streams', async () => {
    await rig.start();
    const told = new Told();
    const fetchWhole = async (...args: Parameters<typeof fetch>) => {
      const { status, headers } = await fetch(...args);
      return { status, headers, body: null };
    };
    rig.client({ fetch: fetchWhole as never }).subscribe('news', told.handlers);
    await until(() => told.all.length > 0);
    expect(told.all[0]).toContain('The option `fetch` must read streams.');
  });
});
