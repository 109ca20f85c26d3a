import type { SseEvent, SseService } from '../../lib/index.js';
import { until } from '../support/until.js';

/** Everything that a channel has, in order: an event that is sent last marks the end. */
export async function arrived(sse: SseService, channel: string): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  const reading = sse
    .stream(channel, { lastEventId: 'earliest' })
    .subscribe((event) => void events.push(event));
  try {
    await sse.send(channel, 'the end');
    await until(() => events.some(({ data }) => data === 'the end'));
    return events.slice(0, -1);
  } finally {
    reading.unsubscribe();
  }
}

export const dataOf = (events: readonly SseEvent[]): string[] =>
  events.map(({ data }) => String(data));
