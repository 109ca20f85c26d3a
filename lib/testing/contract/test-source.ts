import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../channel/deadline.js';
import { openFeed } from '../../channel/open-feed.js';
import type { ChannelHistory } from '../../channel/source.js';
import { EARLIEST } from '../../channel/start-position.js';
import { RecordingSink } from './recording-sink.js';
import { fault, numbered, until, type ContractTest } from './rig.js';
import { inContext, type Context, type SourceSubject } from './source-context.js';

/** What a client may send as its Last-Event-ID. */
const NONSENSE = [
  ' ',
  'nonsense',
  '-1',
  '0',
  '00',
  '1e3',
  '0x10',
  '1.5',
  '0-0',
  '1-',
  '-',
  'NaN',
  'null',
  '\u{1f642}',
  '9'.repeat(18),
  '9'.repeat(40),
  `${'9'.repeat(25)}-1`,
  'x'.repeat(1_024),
  '%00',
  "'; drop table events; --",
];

const REASONS = ['trimmed', 'unknown-position', 'failover'] as const;

/**
 * The contract of sources, as cases for any test runner. Each makes a source of its own, and
 * runs it under the core that an application runs it under.
 *
 * @example
 * ```ts
 * for (const { name, run } of testSource({ source: () => new MySource(url), write })) {
 *   it(name, run);
 * }
 * ```
 */
export function testSource(subject: SourceSubject): readonly ContractTest[] {
  const { trim, replace, interrupt, write } = subject;
  const timeout = subject.timeout ?? 10_000;
  const tests: ContractTest[] = [];

  const add = (name: string, run: (context: Context) => Promise<void>): void => {
    tests.push({ name, run: () => inContext(subject, timeout, run) });
  };
  const writeAll = async (channel: string, texts: readonly string[]): Promise<void> => {
    for (const text of texts) {
      await write(channel, text);
    }
  };

  add('opens at once, and says when it is listening', async ({ source, channel }) => {
    const sink = new RecordingSink();
    const feed = openFeed(source, channel, sink);
    await until(
      () => sink.isLive,
      () => 'live() was not called',
      timeout,
    );
    feed.close();
  });

  add('delivers what is written, once and in order', async ({ rig, source, channel }) => {
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

  add('appends nothing after close()', async ({ source, channel }) => {
    const sink = new RecordingSink();
    const feed = openFeed(source, channel, sink);
    await until(
      () => sink.isLive,
      () => 'live() was not called',
      timeout,
    );
    feed.close();
    sink.isClosed = true;
    await writeAll(channel, numbered(5));
    await sleep(100);
    if (sink.late > 0) {
      throw fault(`${sink.late} calls of the sink came after close().`);
    }
  });

  add('may be opened and closed again and again', async ({ rig, source, channel }) => {
    for (let i = 0; i < 20; i++) {
      openFeed(source, channel, new RecordingSink()).close();
    }
    const reader = await rig.read(source, channel);
    await write(channel, 'here');
    await rig.received(reader, ['here']);
  });

  add('answers nonsense as a position with a reset, and never throws', async (context) => {
    const { rig, source, channel } = context;
    const first = await rig.read(source, channel);
    await write(channel, 'event 0');
    await rig.received(first, ['event 0']);
    const { history } = context.feed();
    const known = first.events[0]!.id;
    for (const nonsense of history ? NONSENSE : []) {
      checkOrder(history!, nonsense, known);
      const page = await withDeadline(history!.read(nonsense, 10), timeout, 'history.read()');
      if (!Array.isArray(page?.events) || typeof page.last !== 'boolean') {
        throw fault(`read(${JSON.stringify(nonsense)}) gave no page.`);
      }
    }
    const lost = await rig.read(source, channel, 'nonsense');
    await rig.told(lost, ['unknown-position']);
    await write(channel, 'event 1');
    await rig.received(lost, ['event 1']);
  });

  add('lets clients resume at each event, while more are written', async (context) => {
    const { rig, source, channel } = context;
    const first = await rig.read(source, channel);
    const texts = numbered(30);
    await writeAll(channel, texts);
    await rig.received(first, texts);
    const ids = first.events.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) {
      throw fault('Two events have the same id.');
    }
    const writing = writeAll(channel, numbered(10, 30));
    const returning = await Promise.all(ids.map((id) => rig.read(source, channel, id)));
    await writing;
    const all = numbered(40);
    for (const [index, reader] of returning.entries()) {
      await rig.received(reader, all.slice(index + 1));
    }
  });

  add('orders positions as it appends them', async (context) => {
    const { rig, source, channel } = context;
    const reader = await rig.read(source, channel);
    await writeAll(channel, numbered(12));
    await rig.received(reader, numbered(12));
    const { history } = context.feed();
    const ids = reader.events.map(({ id }) => id);
    for (let a = 0; history && a < ids.length; a++) {
      for (let b = 0; b < ids.length; b++) {
        if (Math.sign(history.compare(ids[a]!, ids[b]!)) !== Math.sign(a - b)) {
          throw fault(`compare(${ids[a]}, ${ids[b]}) does not say which event came first.`);
        }
      }
    }
  });

  add('reads its history in pages that advance to the last', async (context) => {
    const { rig, source, channel } = context;
    const reader = await rig.read(source, channel);
    const texts = numbered(11);
    await writeAll(channel, texts);
    await rig.received(reader, texts);
    const { history } = context.feed();
    if (!history) {
      return;
    }
    const read: string[] = [];
    let position: string | undefined;
    for (let pages = 0, isLast = false; !isLast; pages++) {
      if (pages > texts.length + 2) {
        throw fault(`After ${pages} pages none was the last.`);
      }
      const page = await withDeadline(history.read(position, 3), timeout, 'history.read()');
      if (page.reset) {
        throw fault(`The page after ${position} says ${page.reset}.`);
      }
      if (page.events.length > 3) {
        throw fault(`A page of at most 3 events has ${page.events.length}.`);
      }
      read.push(...page.events.map(({ data }) => data));
      position = page.events.at(-1)?.position ?? position;
      isLast = page.last;
    }
    if (read.join() !== texts.join()) {
      throw fault(`The pages have ${read.join()}; they should have ${texts.join()}.`);
    }
  });

  add('begins with the oldest event for whoever asks for it', async ({ rig, source, channel }) => {
    const first = await rig.read(source, channel);
    await writeAll(channel, numbered(8));
    await rig.received(first, numbered(8));
    const reader = await rig.read(source, channel, EARLIEST);
    await rig.received(reader, numbered(8));
  });

  add('resumes after a restart of the application, or says that it cannot', async (context) => {
    const { rig, source, channel } = context;
    const reader = await rig.read(source, channel);
    await writeAll(channel, numbered(5));
    await rig.received(reader, numbered(5));
    const position = reader.events[2]!.id;
    await context.restart();
    await writeAll(channel, numbered(3, 5));
    const returning = await context.rig.read(context.source, channel, position);
    await write(channel, 'event 8');
    await context.rig.receivedOrTold(returning, numbered(6, 3));
  });

  if (trim) {
    add('says when events after a position were dropped', async (context) => {
      const { rig, source, channel } = context;
      const reader = await rig.read(source, channel);
      await writeAll(channel, numbered(40));
      await rig.received(reader, numbered(40));
      const position = reader.events[0]!.id;
      await context.restart();
      await trim(channel);
      const returning = await context.rig.read(context.source, channel, position);
      await context.rig.told(returning, REASONS);
      await write(channel, 'event 40');
      await context.rig.receivedOrTold(returning, numbered(41));
    });
  }

  if (replace) {
    add('says when its history was replaced, and goes on', async (context) => {
      const { rig, source, channel } = context;
      const reader = await rig.read(source, channel);
      await writeAll(channel, numbered(6));
      await rig.received(reader, numbered(6));
      const position = reader.events[5]!.id;
      await replace(channel);
      await writeAll(channel, numbered(3, 6));
      // What was written about that time may be missing, once a reset has said so.
      await until(
        () => reader.resets.length > 0 || reader.data.at(-1) === 'event 8',
        () => 'neither what was written after it nor a reset has come',
        timeout,
      );
      await write(channel, 'event 9');
      await rig.receivedOrTold(reader, numbered(10));
      await context.restart();
      const returning = await context.rig.read(context.source, channel, position);
      await write(channel, 'event 10');
      await context.rig.receivedOrTold(returning, numbered(5, 6));
    });
  }

  if (interrupt) {
    add(
      'comes back after its connection was cut, and loses nothing in silence',
      async (context) => {
        const { rig, source, channel } = context;
        const reader = await rig.read(source, channel);
        await write(channel, 'event 0');
        await rig.received(reader, ['event 0']);
        const written = ['event 0'];
        let attempts = 0;
        const writeNext = async (): Promise<void> => {
          // Writing may fail meanwhile; whether the system has the event then, nobody knows.
          written.push(
            await retried(
              () => `event ${++attempts}`,
              (text) => write(channel, text),
              timeout,
            ),
          );
        };
        for (let round = 0; round < 3; round++) {
          await interrupt();
          await writeNext();
        }
        // A source without a history hears only what is written once it is back.
        const end = performance.now() + timeout;
        while (reader.data.at(-1) !== written.at(-1) && performance.now() < end) {
          await writeNext();
          await sleep(100);
        }
        await rig.receivedOrTold(reader, written);
      },
    );
  }

  return tests;
}

function checkOrder(history: ChannelHistory, nonsense: string, known: string): void {
  for (const [a, b] of [
    [nonsense, known],
    [known, nonsense],
    [nonsense, nonsense],
  ] as const) {
    if (Number.isNaN(history.compare(a, b))) {
      throw fault(`compare(${JSON.stringify(a)}, ${JSON.stringify(b)}) gave NaN.`);
    }
  }
}

/** Writes texts until one is taken, and gives that one. */
async function retried(
  next: () => string,
  write: (text: string) => Promise<unknown>,
  timeout: number,
): Promise<string> {
  const end = performance.now() + timeout;
  for (;;) {
    const text = next();
    try {
      await write(text);
      return text;
    } catch (error) {
      if (performance.now() > end) {
        throw error;
      }
      await sleep(50);
    }
  }
}
