import type { Channel } from '../channel/channel.js';
import { inSlices } from '../channel/slices.js';
import type { ShownEvent } from './contract.js';
import { shownEvent } from './shown-event.js';
import { SLICE_MS } from './sorted.js';

/** What this instance retains of a channel, the newest event first, so many at most. */
export async function historyOf(
  { log }: Channel,
  limit: number,
  showData: boolean,
): Promise<ShownEvent[]> {
  const events: ShownEvent[] = [];
  const { head } = log;
  const places = Array.from({ length: Math.min(limit, log.size) }, (_, back) => head - back);
  const show = (place: number): void => {
    // It may have left the log since the walk began.
    if (place >= log.retained) {
      events.push(shownEvent(log.at(place), showData));
    }
  };
  await inSlices(places, show, SLICE_MS);
  return events;
}
