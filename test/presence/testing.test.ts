import { afterEach, describe, expect, it } from '@jest/globals';
import { untilPresent } from '../../lib/testing/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { byHeader, RoomsController } from './rooms.js';

describe('untilPresent()', () => {
  afterEach(closeApps);

  it('waits until exactly these clients are present', async () => {
    const { connect, sse } = await startApp({
      controllers: [RoomsController],
      options: { client: byHeader, presenceGrace: 0 },
    });
    await untilPresent(sse, 'a', []);
    const clients = await Promise.all(
      ['bob', 'ann'].map((user) => connect('/present/a', { headers: { 'x-user': user } })),
    );
    await connect('/present/a');
    const { members, connections } = await untilPresent(sse, 'a', ['ann', 'bob']);
    expect(members.map(({ id }) => id)).toEqual(['ann', 'bob']);
    expect(connections).toBeGreaterThanOrEqual(2);
    await clients[0]!.close();
    await untilPresent(sse, 'a', ['ann']);
    await expect(untilPresent(sse, 'a', ['eve', 'ann'], { deadline: 30 })).rejects.toThrow(
      'Nothing within 30 ms, while waiting for ["ann","eve"] in the channel "a". Present are ["ann"].',
    );
  });
});
