import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { Cursor } from '../../lib/channel/cursor.js';
import { EntryMerge } from '../../lib/delivery/entry-merge.js';

const LIMITS = { events: Infinity, bytes: Infinity, age: Infinity, eventSize: 1_000 };

function rig(...names: string[]) {
  const channels = names.map((name) => new Channel(name, LIMITS, () => undefined));
  channels.forEach((channel) => channel.live());
  const cursors = channels.map((channel) => new Cursor(channel, { pull: () => undefined }));
  return { channels, cursors };
}

/** Takes all that there is: the channel and the data of each event, or the reason of a reset. */
function takeAll(merge: EntryMerge): string[] {
  const taken: string[] = [];
  while (merge.next()) {
    const { type, data } = merge.entry;
    const what = type === 'sse:reset' ? (JSON.parse(data) as { reason: string }).reason : data;
    taken.push(`${merge.channel.name} ${what}${merge.isOverflow ? ', too slow' : ''}`);
  }
  return taken;
}

describe('Several channels in one sequence', () => {
  it('come in the order of arrival, with resets before all else', () => {
    const { channels, cursors } = rig('a', 'b', 'c');
    const merge = new EntryMerge(cursors);
    for (const index of [1, 0, 0, 2, 1, 0]) {
      channels[index]!.append({ data: `${channels[index]!.log.head + 1}` });
    }
    cursors[2]!.resetReason = 'unknown-position';
    expect(takeAll(merge)).toEqual(['c unknown-position', 'b 1', 'a 1', 'a 2', 'b 2', 'a 3']);
    channels[0]!.append({ data: '4' });
    cursors[1]!.resetReason = 'slow-consumer';
    expect(takeAll(merge)).toEqual(['b slow-consumer, too slow', 'a 4']);
    expect([merge.next(), merge.isOverflow, merge.hasEnded]).toEqual([false, false, false]);
  });

  it('end with their runs, each for itself', () => {
    const { channels, cursors } = rig('a', 'b', 'c');
    cursors[2]!.hasEnded = true;
    const merge = new EntryMerge(cursors);
    channels[0]!.append({ data: 'end', end: true });
    channels[0]!.append({ data: 'of the next run' });
    channels[1]!.append({ data: '1' });
    channels[2]!.append({ data: 'of the next run' });
    expect(takeAll(merge)).toEqual(['a end', 'b 1']);
    expect(merge.hasEnded).toBe(false);
    // It has ended while it was in the history.
    cursors[1]!.hasEnded = true;
    expect([merge.next(), merge.hasEnded]).toEqual([false, true]);
  });

  it('have ended when all runs had before', () => {
    const { cursors } = rig('a');
    cursors[0]!.hasEnded = true;
    expect(new EntryMerge(cursors).hasEnded).toBe(true);
  });
});
