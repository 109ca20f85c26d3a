import { SseClient } from '../../lib/client/index.js';
import type { Client, ReceivedEvent } from './listening.js';

/** What our own client does. */
export const OWN: Omit<Client, 'name' | 'listen'> = {
  keepsIdOfFrames: true,
  keepsIdAtItsLine: false,
  returnsAfter502: true,
  withWideId: 'resumes',
  stopsAtEnd: true,
  tellsOfOpening: true,
};

/** The channels of the streams of `numbers-app.ts`. */
const CHANNELS: Readonly<Record<string, readonly string[]>> = {
  '/plain': ['plain'],
  '/several': ['a', 'b', 'c'],
  '/handled': ['handled'],
};

/**
 * Reads the channels of a stream by our own client: on Node, and in a page.
 *
 * @param onEnded is called when it has given all of them up
 * @returns what closes it
 */
export function follow(
  url: string,
  onEvent: (event: ReceivedEvent) => void,
  onEnded: () => void,
): () => void {
  const address = new URL(url);
  const channels = CHANNELS[address.pathname]!;
  // Several channels are asked for by their names.
  if (channels.length > 1) address.pathname = '/requested';
  const client = new SseClient(address);
  let left = channels.length;
  const leave = (): void => {
    if (--left === 0) onEnded();
  };
  for (const channel of channels) {
    client.subscribe(channel, {
      onOpen: () => onEvent({ type: 'sse:open', data: '', id: '' }),
      onEvent: ({ type, data, position = '' }) =>
        onEvent({ type, data: String(data), id: position }),
      onReset: ({ type, data, position = '' }) =>
        onEvent({ type, data: JSON.stringify(data), id: position }),
      onEnd: () => {
        onEvent({ type: 'message', data: '[DONE]', id: '' });
        leave();
      },
      onDenied: leave,
      onError: leave,
    });
  }
  return () => client.close();
}
