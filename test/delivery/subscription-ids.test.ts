import { afterEach, describe, expect, it } from '@jest/globals';
import { labelOf } from '../../lib/channel/composite-id.js';
import type { IdForm } from '../../lib/delivery/channel-request.js';
import type { Subscription } from '../../lib/delivery/subscription.js';
import { until } from '../support/until.js';
import { endAll, idOf, read, start } from './subscription-rig.js';

afterEach(endAll);

describe('The ids of a client', () => {
  const FORMS: [string, Partial<IdForm>, string, string[], string[]][] = [
    ['a', {}, '0~next', ['1', '2'], []],
    ['a', { isOfSet: true }, 'a0~next', ['a1', 'a2'], ['a']],
    ['a', { hasOwnIds: true }, 'a0~next', ['a1', 'a2'], ['a']],
    ['ab', {}, 'a0~next b0~next', ['a1 b0~next', 'a2 b0~next', 'a2 b1', 'a2 b2'], ['a', 'b']],
    ['ab', { hasOwnIds: true }, 'a0~next b0~next', ['a1', 'a2', 'b1', 'b2'], ['a', 'b']],
  ];

  it.each(FORMS)('of %s with %j begin with %s', async (names, form, opening, ids, labelled) => {
    const { rig, source, requestsOf } = start();
    const client = await rig.connect(requestsOf(names, form));
    const [open] = client.frames;
    expect(open).toMatchObject({ type: 'sse:open', id: idOf(opening) });
    expect(JSON.parse(open!.data!)).toEqual({
      channels: names.split(''),
      labels: Object.fromEntries(labelled.map((name) => [labelOf(name), name])),
    });
    names.split('').forEach((name) => source.write(name, 2));
    await until(() => client.events.length === ids.length);
    expect(client.events.map(({ id }) => id)).toEqual(ids.map(idOf));
  });

  it.each(FORMS)('of %s with %j are the same for a handler', async (names, form, _, ids) => {
    const { rig, source, requestsOf } = start();
    const client = await rig.connect(requestsOf(names, form), { handler: (events$) => events$ });
    names.split('').forEach((name) => source.write(name, 2));
    await until(() => client.events.length === ids.length);
    expect(client.events.map(({ id }) => id)).toEqual(ids.map(idOf));
  });

  it('are none while a reset is due, as the client would return behind it', async () => {
    const { place, source } = start();
    const one = await place('a', { lastEventId: 'elsewhere' });
    const two = await place('ab', { lastEventId: idOf('aelsewhere b0') });
    expect([one.id, two.id]).toEqual([undefined, undefined]);
    expect([read(one), read(two)]).toEqual([['a: unknown-position'], ['a: unknown-position']]);
    expect([one.id, two.id]).toEqual(['0~next', idOf('a0~next b0')]);
    source.write('b');
    expect([read(two), two.id]).toEqual([['b1'], idOf('a0~next b1')]);
  });

  it('are those of the other channels while a reset is due in one, if each channel has its own', async () => {
    const { place } = start();
    const form = { hasOwnIds: true };
    const two = await place('ab', { lastEventId: idOf('aelsewhere b0') }, form);
    const one = await place('a', { lastEventId: 'elsewhere' }, form);
    expect([two.id, one.id]).toEqual([idOf('b0'), undefined]);
    read(two);
    expect(two.id).toBe(idOf('a0~next b0'));
  });

  it('are none before the first event of one that begins at the oldest', async () => {
    const { place, source } = start({ hasHistory: true });
    source.isHolding = true;
    const subscription = await place('ab', { lastEventId: 'earliest', readyTimeout: 0 });
    const [{ channel }] = subscription.cursors as [Subscription['cursors'][0]];
    expect(subscription.id).toBeUndefined();
    expect(subscription.idOf(channel, channel.log.append({ data: '' }))).toBe('');
  });

  it('are none without channels', async () => {
    const { place } = start();
    expect((await place('')).id).toBeUndefined();
  });
});
