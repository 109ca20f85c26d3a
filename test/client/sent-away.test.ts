import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SseClientError, shareTabs } from '../../lib/client/index.js';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { until } from '../support/until.js';
import { ClientRig, Told } from './client-rig.js';
import { provideLocks } from './lock-store.js';

let expires: number | undefined;

@Controller()
class ClientsController {
  @Sse('clients', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    authorize: () => true,
    client: () => 'someone',
    expires: () => expires,
  })
  clients() {}
}

const rig = new ClientRig();
let takeLocks: () => void;
beforeAll(() => {
  takeLocks = provideLocks();
});
afterAll(() => takeLocks());
afterEach(() => rig.close());

describe.each(['of its own', 'that tabs share'])('a client with a connection %s', (whose) => {
  const start = async () => {
    await rig.start({ controllers: [ClientsController] });
    const client = rig.client(whose === 'of its own' ? {} : { tabs: shareTabs() }, '/clients');
    const errors: (SseClientError | undefined)[] = [];
    client.onStatus((_status, error) => errors.push(error));
    return { client, errors };
  };

  it('tells that it was sent away, and returns', async () => {
    expires = undefined;
    const { client, errors } = await start();
    const told = new Told();
    client.subscribe('a', told.handlers);
    await told.has('open');
    await rig.app.sse.disconnect({ client: 'someone' });
    await told.has('open', 2);
    // It returns a few times until every instance knows.
    const found = errors.filter((error) => error);
    expect(found.length).toBeGreaterThan(0);
    for (const error of found) {
      expect(error).toBeInstanceOf(SseClientError);
      expect(error).toMatchObject({
        message: 'The server has ended the stream: revoked.',
        reason: 'revoked',
        isFinal: false,
      });
    }
    // A network that breaks has no reason.
    rig.proxy.cut();
    await told.has('open', 3);
    await until(() => errors.filter((error) => error).length > found.length);
    expect(errors.findLast((error) => error)!.reason).toBeUndefined();
  });

  it('tells that it was sent away for a while', async () => {
    expires = undefined;
    const { client } = await start();
    const ended = new Promise<SseClientError>((onError) => {
      client.subscribe('a', {
        onError,
        onOpen: () => void rig.app.sse.disconnect({ client: 'someone' }, { block: 60_000 }),
      });
    });
    expect(await ended).toMatchObject({ reason: 'revoked', status: 204, isFinal: true });
    await until(() => client.status === 'closed');
  });

  it('tells that its permission has ended', async () => {
    const { client, errors } = await start();
    expires = Date.now() + 1_000;
    const ended = new Promise<SseClientError>((onError) => {
      client.subscribe('a', { onError });
    });
    expect(await ended).toMatchObject({ reason: 'expired', status: 401, isFinal: true });
    expect(errors).toContainEqual(
      expect.objectContaining({ reason: 'expired', isFinal: false, status: undefined }),
    );
  });
});
