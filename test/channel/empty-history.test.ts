import { afterEach, expect, it } from '@jest/globals';
import type { ChannelSink, ChannelSource, SseEvent } from '../../lib/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

afterEach(closeApps);

it.each(['before', 'after'])(
  'A client that begins at the oldest event receives what comes while an empty history is read (live %s)',
  async (live) => {
    let sink!: ChannelSink;
    const source: ChannelSource = {
      open(_, given) {
        sink = given;
        if (live === 'before') {
          sink.live('0');
        }
        return {
          close: () => undefined,
          history: {
            compare: (a, b) => Number(a) - Number(b),
            async read() {
              if (live === 'after') {
                sink.live('0');
              }
              sink.append({ data: 'one', position: '1' });
              sink.append({ data: 'two', position: '2' });
              return { events: [], last: true };
            },
          },
        };
      },
    };
    const { sse } = await startApp({ options: { readyTimeout: 10 } });
    const events: SseEvent[] = [];
    const reading = sse
      .stream('a', { source, lastEventId: 'earliest' })
      .subscribe((event) => void events.push(event));
    await until(() => events.some(({ data }) => data === 'two'));
    sink.append({ data: 'three', position: '3' });
    await until(() => events.some(({ data }) => data === 'three'));
    reading.unsubscribe();
    expect(events.filter(({ type }) => !type).map(({ data, id }) => [id, data])).toEqual([
      ['1', 'one'],
      ['2', 'two'],
      ['3', 'three'],
    ]);
  },
);
