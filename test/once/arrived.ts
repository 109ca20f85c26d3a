import { isReset, type SseEvent, type SseService } from '../../lib/index.js';
import { until } from '../support/until.js';

const END = 'the end';

/**
 * Every event that a channel has, in order: one that is sent last marks the end. A reset is no event: a server
 * that is slow to answer may cause one.
 */
export async function arrived(sse: SseService, channel: string): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  const reading = sse
    .stream(channel, { lastEventId: 'earliest' })
    .subscribe((event) => void events.push(event));
  try {
    await sse.send(channel, END);
    await until(() => events.some(({ data }) => data === END));
    return events.filter((event) => !isReset(event) && event.data !== END);
  } finally {
    reading.unsubscribe();
  }
}

export const dataOf = (events: readonly SseEvent[]): string[] =>
  events.map(({ data }) => String(data));
