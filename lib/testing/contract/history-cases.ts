import { withDeadline } from '../../channel/deadline.js';
import type { ChannelHistory } from '../../channel/source.js';
import { EARLIEST } from '../../channel/start-position.js';
import type { CaseList } from './case-list.js';
import { numbered } from './rig.js';

/** Texts that a client may send as its Last-Event-ID. */
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

/** Cases of resuming, and of reading events again. */
export function addHistoryCases({ add, writeAll, subject, timeout }: CaseList): void {
  const { write } = subject;

  add('answers a nonsensical position with a reset, and never throws', async (context) => {
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
        throw new Error(`read(${JSON.stringify(nonsense)}) gave no page.`);
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
      throw new Error('Two events have the same id.');
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
          throw new Error(`compare(${ids[a]}, ${ids[b]}) does not say which event came first.`);
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
        throw new Error(`After ${pages} pages none was the last.`);
      }
      const page = await withDeadline(history.read(position, 3), timeout, 'history.read()');
      if (page.reset) {
        throw new Error(`The page after ${position} says ${page.reset}.`);
      }
      if (page.events.length > 3) {
        throw new Error(`A page of at most 3 events has ${page.events.length}.`);
      }
      read.push(...page.events.map(({ data }) => data));
      position = page.events.at(-1)?.position ?? position;
      isLast = page.last;
    }
    if (read.join() !== texts.join()) {
      throw new Error(`The pages have ${read.join()}; they should have ${texts.join()}.`);
    }
  });

  add('begins at the oldest event for `earliest`', async ({ rig, source, channel }) => {
    const first = await rig.read(source, channel);
    await writeAll(channel, numbered(8));
    await rig.received(first, numbered(8));
    const reader = await rig.read(source, channel, EARLIEST);
    await rig.received(reader, numbered(8));
  });
}

function checkOrder(history: ChannelHistory, nonsense: string, known: string): void {
  for (const [a, b] of [
    [nonsense, known],
    [known, nonsense],
    [nonsense, nonsense],
  ] as const) {
    if (Number.isNaN(history.compare(a, b))) {
      throw new Error(`compare(${JSON.stringify(a)}, ${JSON.stringify(b)}) gave NaN.`);
    }
  }
}
