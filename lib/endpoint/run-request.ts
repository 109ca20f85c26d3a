import { SseError } from '../channel/sse-error.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Runs } from '../runs/runs.js';
import type { Exchange } from './exchange.js';
import type { GrantedChannels } from './granted-channels.js';

/**
 * The run that a client reads by an endpoint with `run`, and where it begins.
 *
 * @param where the endpoint, for messages
 * @throws SseError `INVALID_OPTION` for several channels
 */
export async function requestedRun(
  requested: GrantedChannels,
  lastEventId: string | undefined,
  runs: Runs,
  where: string,
): Promise<GrantedChannels> {
  const [only, ...others] = requested.channels;
  if (others.length > 0) {
    throw new SseError(
      'INVALID_OPTION',
      `The resolver of ${where} gave ${others.length + 1} channels, and \`run\` follows ` +
        'the runs of one channel. Return one name, or leave `run` out.',
    );
  }
  try {
    const place = await runs.placeIn(only!.name, lastEventId);
    return place
      ? { channels: [place.request], denied: [], start: place.position }
      : { ...requested, missing: 'run' };
  } catch (error) {
    if (error instanceof SseError && error.code === 'UNAVAILABLE') {
      return { ...requested, missing: 'store' };
    }
    throw error;
  }
}

/** Answers a client that gets no stream: it does not return, or returns when the store may be there. */
export async function answerWithout(
  missing: 'run' | 'store',
  exchange: Exchange,
  { connections }: Delivery,
): Promise<void> {
  await (missing === 'run' ? exchange.answerEnded() : exchange.answerAway(connections.awayTime));
}
