import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { SseTestWait } from './sse-test-event.js';

/** Who is present, as far as a test asks. */
interface Present {
  readonly members: readonly { readonly id: string }[];
  readonly connections: number;
}

/** What a test waits with: the `SseService` of the application. */
export interface SsePresenceReader<Presence extends Present = Present> {
  presence(channel: string): Promise<Presence>;
}

/** The time between two looks, in milliseconds. */
const PAUSE_MS = 10;

/**
 * Waits until exactly these clients are present in a channel, and resolves with what `presence()` tells
 * then. Clients without an id do not count.
 *
 * @example
 * const ann = await SseTestClient.connect(app, '/rooms/1', { headers: { cookie } });
 * await untilPresent(app.get(SseService), 'room:1', ['ann']);
 * @throws Error that names who is present when the deadline passes; and whatever `presence()` rejects with
 */
export async function untilPresent<Presence extends Present>(
  sse: SsePresenceReader<Presence>,
  channel: string,
  clients: readonly string[],
  { deadline = 10_000 }: SseTestWait = {},
): Promise<Presence> {
  const expected = [...clients].sort();
  const until = performance.now() + deadline;
  for (;;) {
    const presence = await sse.presence(channel);
    const present = presence.members.map(({ id }) => id).sort();
    if (isDeepStrictEqual(present, expected)) {
      return presence;
    }
    if (performance.now() > until) {
      throw new Error(
        `Nothing within ${deadline} ms, while waiting for ${JSON.stringify(expected)} in the channel ` +
          `${JSON.stringify(channel)}. Present are ${JSON.stringify(present)}.`,
      );
    }
    await sleep(PAUSE_MS);
  }
}
