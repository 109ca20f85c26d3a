import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { shareTabs, type SseClient } from '../../lib/client/index.js';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { ClientRig, Told } from './client-rig.js';
import { provideLocks } from './lock-store.js';

const refused = new Set<string>();

@Controller()
class RefusingController {
  @Sse('refusing', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), { authorize: (_request, channel) => !refused.has(channel) })
  refusing() {}
}

const rig = new ClientRig();
let requests = 0;
let takeLocks: () => void;
beforeAll(() => {
  takeLocks = provideLocks();
});
afterAll(() => takeLocks());
beforeEach(async () => {
  refused.clear();
  requests = 0;
  await rig.start({
    controllers: [RefusingController],
    before: (_request, _response, next) => {
      requests++;
      next();
    },
  });
});
afterEach(() => rig.close());

describe.each(['of its own', 'that tabs share'])('a client with a connection %s', (whose) => {
  const newClient = () =>
    rig.client(whose === 'of its own' ? {} : { tabs: shareTabs() }, '/refusing');

  /** Waits for what a client with one more connection has asked for meanwhile. */
  const othersAreQuiet = async () => {
    const fence = new Told();
    rig.client({}, '/refusing').subscribe('fence', fence.handlers);
    await fence.has('open');
    await rig.streams(1);
  };

  const closing: Record<string, (client: SseClient) => void> = {
    onOpen: (client) => client.subscribe('a', { onOpen: () => client.close() }),
    onStatus: (client) => {
      client.onStatus((status) => {
        if (status === 'open') client.close();
      });
      client.subscribe('a');
    },
    onEnd: (client) => client.subscribe('a', { onEnd: () => client.close() }),
    onDenied: (client) => client.subscribe('secret', { onDenied: () => client.close() }),
  };
  it.each(Object.keys(closing))('may be closed in %s, for good', async (where) => {
    refused.add('secret');
    const client = newClient();
    const other = new Told();
    client.subscribe('other', other.handlers);
    const closed = new Promise<void>((resolve) => {
      client.onStatus((status) => {
        if (status === 'closed') resolve();
      });
    });
    closing[where]!(client);
    if (where === 'onEnd') {
      await other.has('open');
      await rig.app.sse.complete('a');
    }
    await closed;
    const before = requests;
    await othersAreQuiet();
    expect(requests).toBe(before + 1);
    expect(client.status).toBe('closed');
  });

  it.each([
    ['onEnd', 'at once', 'alone'],
    ['onEnd', 'at once', 'with another'],
    ['onEnd', 'a turn later', 'with another'],
    ['onDenied', 'at once', 'alone'],
    ['onDenied', 'at once', 'with another'],
    ['onDenied', 'a turn later', 'with another'],
  ] as const)('reads a channel that is subscribed anew in %s, %s, %s', async (where, when, how) => {
    const client = newClient();
    const [first, again, other] = [new Told(), new Told(), new Told()];
    if (how === 'with another') client.subscribe('other', other.handlers);
    if (where === 'onDenied') refused.add('a');
    client.subscribe('a', {
      ...first.handlers,
      [where]: () => {
        refused.clear();
        const subscribe = () => client.subscribe('a', again.handlers);
        if (when === 'at once') subscribe();
        else setTimeout(subscribe, 0);
      },
    });
    if (where === 'onEnd') {
      await first.has('open');
      await rig.app.sse.complete('a');
    }
    await again.has('open');
    await rig.streams(1);
    await rig.app.sse.send('a', 'new');
    await again.has('new');
    expect(again.all).toEqual(['open', 'new']);
    expect(other.all).not.toContain('end');
  });

  it('tells a subscription nothing after another one has closed it', async () => {
    const client = newClient();
    const [told, last] = [new Told(), new Told()];
    client.subscribe('a', { onEvent: () => second.close() });
    const second = client.subscribe('a', told.handlers);
    client.subscribe('a', last.handlers);
    await last.has('open');
    await rig.app.sse.send('a', 'one');
    await last.has('one');
    expect(told.all).toEqual(['open']);
  });
});
