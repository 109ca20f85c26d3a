import type { RunChunk } from '../../channel/runs.js';
import { freshChannel } from './rig.js';
import {
  END,
  LONG_LEASE_MS,
  nameOf,
  newRun,
  numbered,
  plain,
  same,
  STOPPED,
  type AddRunCase,
} from './run-rig.js';

/** Cases of a run's log: its chunks, its end, and who may have which. */
export function addRunLogCases(add: AddRunCase): void {
  add('begins a run, and finds it by its channel and by its id', async (one, two) => {
    const run = newRun();
    const begun = await one.begin(run);
    same([begun.id, begun.format, begun.head, begun.hasEnded], [run.id, 'default', 0, false]);
    for (const found of [await two.find(run.channel), await two.find(run.channel, run.id)]) {
      same([found?.id, found?.format, found?.head, found?.hasEnded], [run.id, 'default', 0, false]);
      same([found!.leaseLeft > 0, found!.leaseLeft <= LONG_LEASE_MS], [true, true]);
    }
  });

  add('finds no run of another channel or with another id', async (one) => {
    const run = newRun();
    await one.begin(run);
    same(await one.find(freshChannel()), undefined);
    same(await one.find(freshChannel(), run.id), undefined);
    same(await one.find(run.channel, newRun().id), undefined);
  });

  add('has one active run in a channel, whoever begins', async (one, two) => {
    const { channel } = newRun();
    const runs = Array.from({ length: 10 }, () => newRun({ channel }));
    const answers = await Promise.all(runs.map((run, index) => (index % 2 ? one : two).begin(run)));
    same(new Set(answers.map(({ id }) => id)).size, 1);
    same(answers[0]!.channel, channel);
  });

  add('begins another run of a channel after the end of the first', async (one, two) => {
    const first = newRun();
    const second = newRun({ channel: first.channel });
    await one.begin(first);
    same(await one.append({ ...nameOf(first), after: 0, chunks: [END] }), 'appended');
    same((await two.begin(second)).id, second.id);
    same((await one.find(first.channel))?.id, second.id);
    same((await one.find(first.channel, first.id))?.hasEnded, true);
  });

  add('begins a run once, however often it is called', async (one) => {
    const run = newRun();
    await one.begin(run);
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(3) });
    const again = await one.begin(run);
    same([again.id, again.head, again.hasEnded], [run.id, 3, false]);
    await one.end(nameOf(run), STOPPED, false);
    const late = await one.begin(run);
    same([late.id, late.head, late.hasEnded], [run.id, 5, true]);
  });

  add('gives the chunks back as they were, in order', async (one, two) => {
    const run = newRun();
    const chunks: RunChunk[] = [
      { data: 'plain' },
      { data: 'two\nlines\r\n and a € 😀', type: 'kind' },
      { data: '' },
      { data: '{"json":[1,2,"=+,\\"]}', type: 'a:b' },
      { data: 'x'.repeat(100_000) },
    ];
    await one.begin(run);
    same(await one.append({ ...nameOf(run), after: 0, chunks: chunks.slice(0, 2) }), 'appended');
    same(await one.append({ ...nameOf(run), after: 2, chunks: chunks.slice(2) }), 'appended');
    same(plain(await two.read(nameOf(run), 0, 100)), plain(chunks));
    same((await two.find(run.channel))?.head, 5);
  });

  add('reads pages, up to the end', async (one) => {
    const run = newRun();
    await one.begin(run);
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(10) });
    await one.append({ ...nameOf(run), after: 10, chunks: [...numbered(5, 10), END] });
    same(plain(await one.read(nameOf(run), 0, 4)), plain(numbered(4)));
    same(plain(await one.read(nameOf(run), 8, 4)), plain(numbered(4, 8)));
    same(plain(await one.read(nameOf(run), 14, 100)), plain([...numbered(1, 14), END]));
    same(plain(await one.read(nameOf(run), 16, 100)), []);
  });

  add('has no chunks of a run that it does not know', async (one) => {
    const { channel, id } = newRun();
    same(await one.read({ channel, id }, 0, 10), undefined);
    same(await one.append({ channel, id, after: 0, chunks: numbered(1) }), 'gone');
    same(await one.append({ channel, id, after: 0, chunks: [] }), 'gone');
    same(await one.end({ channel, id }, STOPPED, false), false);
  });

  add('appends a chunk once, however often it is called', async (one) => {
    const run = newRun();
    await one.begin(run);
    const append = { ...nameOf(run), after: 0, chunks: numbered(3) };
    same(await one.append(append), 'appended');
    same(await one.append(append), 'appended');
    same(await one.append({ ...nameOf(run), after: 1, chunks: numbered(4, 1) }), 'appended');
    same(plain(await one.read(nameOf(run), 0, 100)), plain(numbered(5)));
    const last = { ...nameOf(run), after: 5, chunks: [END] };
    same(await one.append(last), 'appended');
    same(await one.append(last), 'appended');
    same(plain(await one.read(nameOf(run), 0, 100)), plain([...numbered(5), END]));
  });

  add('appends nothing after chunks that it does not have', async (one) => {
    const run = newRun();
    await one.begin(run);
    same(await one.append({ ...nameOf(run), after: 2, chunks: numbered(1) }), 'gone');
    same(plain(await one.read(nameOf(run), 0, 100)), []);
  });

  add('appends nothing after the end', async (one, two) => {
    const run = newRun();
    await one.begin(run);
    await one.append({ ...nameOf(run), after: 0, chunks: numbered(2) });
    same(await two.end(nameOf(run), STOPPED, false), true);
    same(await one.append({ ...nameOf(run), after: 2, chunks: numbered(3, 2) }), 'ended');
    same(await one.append({ ...nameOf(run), after: 2, chunks: [] }), 'ended');
    same(plain(await one.read(nameOf(run), 0, 100)), plain([...numbered(2), ...STOPPED]));
    same((await one.find(run.channel))?.hasEnded, true);
  });

  add('ends a run once, whoever ends it', async (one, two) => {
    const run = newRun();
    await one.begin(run);
    const ends = Array.from({ length: 6 }, (_, index) =>
      (index % 2 ? one : two).end(nameOf(run), STOPPED, false),
    );
    same(await Promise.all(ends), [true, true, true, true, true, true]);
    same(plain(await one.read(nameOf(run), 0, 100)), plain(STOPPED));
  });
}
