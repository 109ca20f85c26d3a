import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { SseTestClient } from '../../lib/testing/index.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/until.js';
import { startSample, type SampleProcess } from '../sample/sample-process.js';
import { Visitor, comingsAndGoings } from '../sample/visitor.js';

let sample: SampleProcess;
let instances: string[];

beforeAll(async () => {
  sample = await startSample({}, [process.execPath, compiled('sample/cluster.ts')]);
  const address = await sample.address();
  instances = (await (await fetch(`${address}/instances`)).json()) as string[];
});

afterAll(() => sample?.dispose());

it('The lounge knows who is on either instance, and logs out on both', async () => {
  const [one, two] = instances as [string, string];
  const ada = await Visitor.logIn(one, 'Ada');
  const bob = await Visitor.logIn(two, 'Bob');
  const watcher = await bob.enter('lobby');
  // Its own join may be in the state already.
  await watcher.until(({ data }) => data.includes('Bob'));
  const streams = await Promise.all([ada.enter('lobby'), ada.on(two).enter('lobby')]);
  await watcher.until(({ data }) => data.includes('Ada'));
  expect(await ada.send('POST', '/lounges/lobby/messages', 'Hi')).toBe(201);
  await watcher.until(({ type }) => type === 'message');

  expect(await ada.on(two).send('DELETE', '/sessions')).toBe(204);
  for (const stream of streams) {
    expect(await stream.closed).toEqual({ by: 'server' });
    expect((await stream.reconnect()).opened.status).toBe(401);
  }
  await watcher.until(({ type }) => type === 'sse:leave');
  expect(comingsAndGoings(watcher, 'Ada')).toEqual(['sse:join', 'sse:leave']);
  expect(comingsAndGoings(watcher, 'Bob')).not.toContain('sse:leave');
  expect(await bob.on(one).send('GET', '/session')).toBe(200);
  await watcher.close();
});

it('The cluster sample shows both instances, and survives the end of one', async () => {
  const pages = await Promise.all(
    ['', 'lounge.html'].map(async (page) => (await fetch(`${instances[0]}/${page}`)).text()),
  );
  expect(pages[0]).toContain('Two instances, one order of events');
  expect(pages[1]).toContain('Log out everywhere');
  expect(instances).toHaveLength(2);
  const [one, two] = await Promise.all(
    instances.map((url) => SseTestClient.connect(`${url}/events/chat`)),
  );
  const send = async (url: string, text: string) => {
    const options = { method: 'POST', body: text, headers: { 'content-type': 'text/plain' } };
    return (await (await fetch(`${url}/chat`, options)).json()) as { id: string };
  };
  const { id } = await send(instances[1]!, 'hello');
  for (const client of [one!, two!]) {
    expect(await client.next()).toMatchObject({ id, data: expect.stringContaining('hello') });
  }
  await fetch(`${instances[1]}/crash`, { method: 'POST' }).catch(() => undefined);
  await two!.closed;
  await send(instances[0]!, 'while it was away');
  const back = await until(() => two!.reconnect().catch(() => undefined));
  expect(await back.next()).toMatchObject({ data: expect.stringContaining('while it was away') });
  await Promise.all([one!.close(), back.close()]);
});

it('An answer whose instance is killed is lost once for all who follow it at the other', async () => {
  const [one, two] = instances as [string, string];
  const ask = async (url: string) => {
    const options = { method: 'POST', body: 'Why?', headers: { 'content-type': 'text/plain' } };
    return (await (await fetch(`${url}/answers/killed`, options)).json()) as { run: string };
  };
  const follow = (url: string, lastEventId?: string) =>
    SseTestClient.connect(
      `${url}/events/answers/killed`,
      lastEventId === undefined ? {} : { lastEventId },
    );
  const told = ({ events }: SseTestClient) =>
    events.filter(({ type }) => type !== 'sse:open').map(({ type, data }) => [type, data]);

  await until(() => fetch(`${one}/instances`).catch(() => undefined));
  const { run } = await ask(one);
  const followers = await Promise.all([follow(two), follow(two)]);
  await until(() => followers.every((client) => told(client).length > 5));
  await fetch(`${one}/crash`, { method: 'POST' }).catch(() => undefined);
  await Promise.all(followers.map(({ closed }) => closed));
  const [first] = followers.map(told);
  expect(first!.slice(-2)).toEqual([
    ['sse:error', expect.stringContaining('"reason":"lost"')],
    ['message', '[DONE]'],
  ]);
  const begun = JSON.stringify({ question: 'Why?', by: new URL(one).host });
  expect(first![0]).toEqual(['begun', begun]);
  expect(first!.slice(1, -2).every(([type]) => type === 'message')).toBe(true);
  const text = first!.slice(1, -2).map(([, data]) => data);
  expect(text.join('')).toMatch(/^This answer is generated /);
  expect(told(followers[1]!)).toEqual(first);

  // The other instance begins and stops the next one, and the one that was killed knows all of both.
  const next = await ask(two);
  const reader = await follow(two);
  await until(() => told(reader).length > 5);
  const stopped = await fetch(`${two}/answers/killed`, { method: 'DELETE' });
  expect(await stopped.json()).toEqual({ stopped: true });
  await reader.closed;
  expect(told(reader).slice(-2)).toEqual([
    ['sse:stopped', '{}'],
    ['message', '[DONE]'],
  ]);
  await until(() => fetch(`${one}/instances`).catch(() => undefined));
  for (const [id, all] of [
    [run, first],
    [next.run, told(reader)],
  ] as const) {
    const back = await follow(one, `${id}.0`);
    await back.closed;
    expect(told(back)).toEqual(all);
  }
});
