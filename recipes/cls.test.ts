import { ClsService } from 'nestjs-cls';
import { deepEqual, equal } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { AppModule } from './cls.js';
import { ADAPTERS, closeAll, start } from './support/start.js';

const of = (tenant: string) => ({ headers: { host: `${tenant}.example` } });

describe('nestjs-cls', () => {
  afterEach(closeAll);

  for (const adapter of ADAPTERS) {
    it(`has the store of the request in resolver, handler and events, on ${adapter}`, async () => {
      const { app, connect, sse } = await start(AppModule, adapter);
      const red = await connect('/events', of('red'));
      const blue = await connect('/events', of('blue'));
      // Whoever sends has a store of its own, which readers do not see.
      await app.get(ClsService).runWith({ tenant: 'sender' } as never, async () => {
        await sse.send('tenant:red', 'one');
        await sse.send('tenant:blue', 'two');
        await sse.send('tenant:blue', 'three');
      });
      deepEqual(JSON.parse((await red.next()).data), { text: 'one', tenant: 'red' });
      const both = await blue.take(2);
      deepEqual(
        both.map(({ data }) => JSON.parse(data) as object),
        [
          { text: 'two', tenant: 'blue' },
          { text: 'three', tenant: 'blue' },
        ],
      );
    });

    it(`has it in a filter that answers in place of the stream, on ${adapter}`, async () => {
      const { connect } = await start(AppModule, adapter);
      const refused = await connect('/jobs/7/events', of('red'));
      equal(refused.opened.status, 404);
      deepEqual(JSON.parse(refused.body), { message: 'There is no job 7.', tenant: 'red' });
    });
  }
});
