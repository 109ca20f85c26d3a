import { equal, match } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { onExpress, onFastify } from './helmet.js';
import { closeAll, listen } from './support/start.js';

describe('helmet', () => {
  afterEach(closeAll);

  for (const createApp of [onExpress, onFastify]) {
    it(`sends its headers with a live stream, ${createApp.name}`, async () => {
      const { connect, sse } = await listen(await createApp());
      const client = await connect('/news');
      const { status, headers } = client.opened;
      equal(status, 200);
      equal(headers['content-type'], 'text/event-stream');
      equal(headers['x-content-type-options'], 'nosniff');
      match(
        String(headers['content-security-policy']),
        /connect-src 'self' https:\/\/events\.example/,
      );
      await sse.send('news', 'one');
      await sse.send('news', 'two');
      equal((await client.next()).data, 'one');
      equal((await client.next()).data, 'two');
    });
  }
});
