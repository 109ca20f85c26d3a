import { Controller, Logger, Sse } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LatestByKey } from '../../lib/delivery/latest-by-key.js';
import { Channel } from '../../lib/channel/channel.js';
import { SseChannel, type ChannelSource } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';

/** A function of the application's that is asynchronous where its answer is needed at once. */
const late = (async () => {
  throw new Error('late');
}) as never as () => never;

const source: ChannelSource = {
  open: (_, sink) => {
    sink.live();
    return {
      close: () => undefined,
      current: late,
      history: { compare: late, read: async () => ({ events: [], last: true }) },
    };
  },
};

@Controller()
class MistakenController {
  @Sse('expires')
  @SseChannel('news', { expires: late })
  expires() {
    // The channel as it is.
  }

  @Sse('news')
  @SseChannel('news')
  news() {
    // The channel as it is.
  }

  @Sse('source')
  @SseChannel('source', { source })
  source() {
    // The channel as it is.
  }

  @Sse('endless')
  @SseChannel(function* () {
    for (let n = 0; ; n++) yield `channel ${n}`;
  } as never)
  endless() {
    // Never reached.
  }

  @Sse('repeated')
  @SseChannel(function* () {
    for (;;) yield 'news';
  } as never)
  repeated() {
    // The channel as it is.
  }
}

describe.each(ADAPTERS)('A function that is async by mistake, on %s,', (adapter) => {
  beforeEach(() => {
    jest.spyOn(Logger, 'error').mockImplementation(() => undefined);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await closeApps();
  });

  /** Jest fails a test whose rejections nobody handles. Node reports them after the microtasks of a turn. */
  const nextTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  it('causes an error, and its rejection does not end the process', async () => {
    const { connect, sse } = await startApp({ adapter, controllers: [MistakenController] });
    const client = await connect('/expires');
    expect(client.opened.status).toBe(500);
    await client.closed;
    await nextTurn();
    expect(sse.stats()).toMatchObject({ connections: 0, opening: 0 });
  });

  it('causes an error as `client` too', async () => {
    const { connect } = await startApp({
      adapter,
      controllers: [MistakenController],
      options: { client: late },
    });
    const client = await connect('/news');
    expect(client.opened.status).toBe(500);
    await client.closed;
    await nextTurn();
  });

  it('causes an error where a source has it', async () => {
    const { connect } = await startApp({ adapter, controllers: [MistakenController] });
    const client = await connect('/source');
    expect((await client.next()).type).toBe('sse:reset');
    // It is placed by comparing positions.
    const { opened } = await connect('/source', { lastEventId: '7' });
    expect(opened.status).toBe(200);
    await nextTurn();
  });

  it('stops at the limit when it yields names of channels without end', async () => {
    const { connect } = await startApp({ adapter, controllers: [MistakenController] });
    const client = await connect('/endless');
    expect(client.opened.status).toBe(400);
    await client.closed;
    const { opened } = await connect('/repeated');
    expect(opened.status).toBe(200);
  });
});

it('An event whose key is a promise is delivered, and replaces no other event', async () => {
  const limits = { events: 10, bytes: 1_000, age: Infinity, eventSize: 1_000 };
  const channel = new Channel('c', limits, () => undefined);
  const latest = LatestByKey.acquire(channel, late);
  for (const data of ['a', 'b', 'c']) channel.append({ data });
  expect(latest.after(0)!.map(({ data }) => data)).toEqual(['a', 'b', 'c']);
  // Jest would fail the test for a rejection that nobody handles.
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
});
