import { expect } from '@jest/globals';
import { SseTestClient, type SseTestEvent } from '../../lib/testing/index.js';
import type { AppProcess } from '../redis/app-process.js';
import { whole } from '../runs/store-writer.js';
import { until } from '../support/until.js';

const textOf = ({ type, data }: SseTestEvent): string =>
  type === 'message' ? data : `${type} ${data}`;
export const textsOf = ({ events }: SseTestClient): readonly string[] => events.map(textOf);
export const isOver = (client: SseTestClient): boolean => textsOf(client).at(-1) === '[DONE]';

/** Follows a run from behind the chunk with this number. */
export const follow = (one: AppProcess, channel: string, run: string, after = 0) =>
  SseTestClient.connect(`${one.url}/chats/${channel}`, { lastEventId: `${run}.${after}` });

/** Expects that all read the same: the first chunks of the run, each once, and then its end. */
export function expectCut(clients: readonly SseTestClient[], end: string): readonly string[] {
  const [first] = clients.map(textsOf);
  const chunks = first!.slice(0, -2);
  expect(chunks.length).toBeGreaterThan(0);
  expect(first).toEqual([...whole(chunks.length).slice(0, -1), end, '[DONE]']);
  expect(clients.map(textsOf)).toEqual(clients.map(() => first));
  return first!;
}

/** Reads a run to its end by many short connections, to one instance after the other. */
export async function readByTurns(
  instances: readonly AppProcess[],
  channel: string,
  from: string,
): Promise<{ texts: readonly string[]; returns: number }> {
  const texts: string[] = [];
  let [returns, lastEventId] = [0, from];
  for (;;) {
    const { url } = instances[returns++ % instances.length]!;
    const client = await SseTestClient.connect(`${url}/chats/${channel}`, { lastEventId });
    if (client.opened.status === 204) {
      return { texts, returns };
    }
    await until(() => isOver(client) || client.events.length > 40);
    await client.close();
    texts.push(...textsOf(client));
    lastEventId = client.lastEventId!;
  }
}
