import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../channel/deadline.js';
import { openFeed } from '../../channel/open-feed.js';
import type { CaseList } from './case-list.js';
import { RecordingSink } from './recording-sink.js';
import { numbered, until } from './rig.js';
import type { Context } from './source-context.js';

/** Data that a careless source changes. A source that keeps lines has no line breaks in them. */
const TEXTS = [
  '  blanks ',
  'tab\there',
  'h\u00e9 \u2603 \u{1f600}',
  '{ "a": [1,  2] }',
  '"quoted\\n"',
  'null',
  '0',
];

/** Cases of opening, delivering and closing. */
export function addLiveCases({ add, writeAll, subject, timeout }: CaseList): void {
  const { write } = subject;

  const openLive = async ({ source, channel }: Context) => {
    const sink = new RecordingSink();
    const feed = openFeed(source, channel, sink);
    feed.resume?.();
    await until(
      () => sink.isLive,
      () => 'live() was not called',
      timeout,
    );
    return { sink, feed };
  };

  add('opens at once, and calls live() when it is listening', async (context) => {
    const { feed, sink } = await openLive(context);
    await write(context.channel, 'event 0');
    await until(
      () => sink.data.length > 0,
      () => 'the event after live() was not appended',
      timeout,
    );
    feed.close();
    if (sink.lives.length > 1) {
      const positions = sink.lives.map((position) => JSON.stringify(position) ?? 'none').join(', ');
      throw new Error(
        `live() was called ${sink.lives.length} times, with the positions ${positions}, so that clients receive a reset. ` +
          'Call it once.',
      );
    }
  });

  add('is live after what was written before', async (context) => {
    await writeAll(context.channel, numbered(3));
    const { feed, sink } = await openLive(context);
    const [position] = sink.lives;
    const page =
      feed.history && position !== undefined
        ? await withDeadline(feed.history.read(position, 10), timeout, 'history.read()')
        : undefined;
    if (feed.history && position === undefined) {
      throw new Error(
        'live() names no position. With a history, name the one after which the source appends: clients resume there.',
      );
    }
    const named = `live() names the position ${JSON.stringify(position)}, after which the history has`;
    if (page?.reset) {
      throw new Error(
        `${named} the reset ${page.reset}. A client that opens there and returns receives it.`,
      );
    }
    // Values that have waited for a reader come now.
    const { length } = page?.events ?? [];
    await until(
      () => sink.data.length >= length,
      () =>
        `${named} ${length} events, and ${sink.data.length} were appended: a client that opens there and returns ` +
        'receives earlier ones',
      timeout,
    );
    feed.close();
  });

  add('brings data as they were written', async (context) => {
    const { sink, feed } = await openLive(context);
    await writeAll(context.channel, TEXTS);
    await until(
      () => sink.data.length >= TEXTS.length,
      () => `${sink.data.length} of ${TEXTS.length} events were appended`,
      timeout,
    );
    feed.close();
    const at = TEXTS.findIndex((text, index) => sink.data[index] !== text);
    if (at >= 0) {
      throw new Error(
        `${JSON.stringify(TEXTS[at])} was written, and ${JSON.stringify(sink.data[at])} appended.`,
      );
    }
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
