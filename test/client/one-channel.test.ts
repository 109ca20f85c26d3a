import { afterEach, describe, expect, it } from '@jest/globals';
import { ADAPTERS } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ClientRig, Told } from './client-rig.js';

const rig = new ClientRig();
afterEach(() => rig.close());

describe.each(ADAPTERS)('an endpoint with one channel of its own on %s', (adapter) => {
  it('is read from its oldest event', async () => {
    await rig.start({ adapter });
    for (const data of ['1', '2']) await rig.app.sse.send('plain', data);
    const told = new Told();
    rig.client({}, '/plain').subscribe('plain', { ...told.handlers, from: 'earliest' });
    await told.has('2');
    expect(told.all).toEqual(['open', '1', '2']);
  });

  it.each(['1', 'labelled:1', 'a b+ä&c=d'])('is read from the position %j', async (id) => {
    await rig.start({ adapter });
    await rig.app.sse.send('plain', 'before', { id });
    await rig.app.sse.send('plain', 'after');
    const told = new Told();
    rig.client({}, '/plain').subscribe('plain', { ...told.handlers, from: id });
    await told.has('after');
    expect(told.all).toEqual(['open', 'after']);
  });

  it('resumes, also when it has brought nothing yet', async () => {
    await rig.start({ adapter });
    const told = new Told();
    rig.client({}, '/plain').subscribe('plain', { ...told.handlers, from: 'earliest' });
    await told.has('open');
    for (const round of ['1', '2']) {
      rig.proxy.refuse();
      rig.proxy.cut();
      await rig.streams(0);
      await rig.app.sse.send('plain', round);
      rig.proxy.accept();
      await told.has(round);
    }
    expect(told.all).toEqual(['open', 'open', '1', 'open', '2']);
  });

  it('tells whoever subscribes to another channel there, and goes on', async () => {
    await rig.start({ adapter });
    const client = rig.client({}, '/plain');
    const [told, other] = [new Told(), new Told()];
    client.subscribe('plain', told.handlers);
    client.subscribe('news', other.handlers);
    await until(() => other.all.length > 0);
    expect(other.all).toEqual([expect.stringContaining('does not bring "news"')]);
    await rig.app.sse.send('plain', 'still here');
    await told.has('still here');
    expect(told.all).toEqual(['open', 'still here']);
  });
});

describe.each(ADAPTERS)('an endpoint whose channels are requested, on %s', (adapter) => {
  it.each(['1', 'labelled:1', 'a b+ä&c=d'])('is read from the position %j', async (id) => {
    const methods: unknown[] = [];
    await rig.start({
      adapter,
      before: ({ method }, _response, next) => {
        methods.push(method);
        next();
      },
    });
    for (const channel of ['a', 'b']) {
      await rig.app.sse.send(channel, 'before', { id });
      await rig.app.sse.send(channel, 'after');
    }
    const client = rig.client();
    const [a, b] = [new Told(), new Told()];
    client.subscribe('a', { ...a.handlers, from: id });
    await a.has('after');
    client.subscribe('b', { ...b.handlers, from: id });
    await b.has('after');
    expect([a.all, b.all]).toEqual([
      ['open', 'after'],
      ['open', 'after'],
    ]);
    expect(methods).toEqual(['GET', 'GET']);
  });
});
