import { setTimeout as sleep } from 'node:timers/promises';
import { openFeed } from '../../channel/open-feed.js';
import type { CaseList } from './case-list.js';
import { RecordingSink } from './recording-sink.js';
import { numbered, until } from './rig.js';
import type { Context } from './source-context.js';

/** Cases of opening, delivering and closing. */
export function addLiveCases({ add, writeAll, subject, timeout }: CaseList): void {
  const { write } = subject;

  const openLive = async ({ source, channel }: Context) => {
    const sink = new RecordingSink();
    const feed = openFeed(source, channel, sink);
    await until(
      () => sink.isLive,
      () => 'live() was not called',
      timeout,
    );
    return { sink, feed };
  };

  add('opens at once, and calls live() when it is listening', async (context) => {
    (await openLive(context)).feed.close();
  });

  add('delivers written events once and in order', async ({ rig, source, channel }) => {
    const reader = await rig.read(source, channel);
    const texts = numbered(50);
    await writeAll(channel, texts);
    await rig.received(reader, texts);
  });

  add('keeps channels apart', async ({ rig, source, channel, other }) => {
    const [one, two] = [await rig.read(source, channel), await rig.read(source, other)];
    await write(channel, 'one');
    await write(other, 'two');
    await rig.received(one, ['one']);
    await rig.received(two, ['two']);
  });

  add('appends nothing after close()', async (context) => {
    const { sink, feed } = await openLive(context);
    feed.close();
    sink.isClosed = true;
    await writeAll(context.channel, numbered(5));
    await sleep(100);
    if (sink.late > 0) {
      throw new Error(`${sink.late} calls of the sink came after close().`);
    }
  });

  add('can be opened and closed again and again', async ({ rig, source, channel }) => {
    for (let i = 0; i < 20; i++) {
      openFeed(source, channel, new RecordingSink()).close();
    }
    const reader = await rig.read(source, channel);
    await write(channel, 'here');
    await rig.received(reader, ['here']);
  });
}
