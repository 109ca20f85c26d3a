import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { messagesOf, type Client, type ReceivedEvent } from './listening.js';
import { ReconnectingEventSource, type ReceivedMessage } from './node-clients.js';
import { StreamRig } from './stream-rig.js';

/** Takes events by `onmessage`, and has no listeners. */
const listen: Client['listen'] = (url) => {
  const source = new ReconnectingEventSource(url);
  const events: ReceivedEvent[] = [];
  Object.assign(source, {
    onmessage: ({ type, data, lastEventId }: ReceivedMessage & { type: string }) =>
      events.push({ type, data, id: lastEventId }),
  });
  return { events, hasEnded: false, close: () => source.close() };
};

// With listeners it goes through the tests of client-tests.ts.
describe('reconnecting-eventsource with onmessage alone', () => {
  const rig = new StreamRig({ listen }, 'express');
  afterEach(() => rig.close());

  it("loses what it missed after a proxy's 502: it keeps positions of listeners' events", async () => {
    await rig.start();
    const stream = rig.listen('/plain');
    await until(() => rig.app.sse.stats().connections === 1);
    await rig.app.sse.send('plain', 'before');
    await rig.received(stream, 'before');
    const standIn = await rig.replaced('missed', 502);
    await until(() => standIn.answered >= 2);
    rig.proxy.redirect(rig.app.url);
    await until(() => rig.app.sse.stats().connections === 1);
    await rig.app.sse.send('plain', 'after');
    await rig.received(stream, 'after');
    expect(messagesOf(stream)).toEqual(['before', 'after']);
  });
});
