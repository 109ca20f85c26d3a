import { EventSource as EventSource4 } from 'eventsource';
import EventSource1 from 'eventsource1';
import EventSource2 from 'eventsource2';
import { EventSource as EventSource3 } from 'eventsource3';
import { EventSource as UndiciEventSource } from 'undici';
import { blockWith, writeBlock } from '../docs/run-block.js';
import { TYPES, type Client, type ReceivedEvent } from './listening.js';

/** What every EventSource has in common. */
interface EventSourceLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: ReceivedMessage) => void): void;
  close(): void;
}

interface ReceivedMessage {
  readonly data: string;
  readonly lastEventId: string;
}

type EventSourceClass = new (url: string) => EventSourceLike;

function listenerOf(eventSource: unknown): Client['listen'] {
  return (url) => {
    const source = new (eventSource as EventSourceClass)(url);
    const events: ReceivedEvent[] = [];
    for (const type of TYPES) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        events.push({ type, data, id: lastEventId });
      });
    }
    // Who listens to no errors is thrown them by `eventsource` 1.
    source.addEventListener('error', () => undefined);
    return {
      events,
      get hasEnded() {
        return source.readyState === 2;
      },
      close: () => source.close(),
    };
  };
}

/** The recipe for `@microsoft/fetch-event-source`, which is written for pages. */
interface Recipe {
  follow(url: string, onEvent: (event: ReceivedEvent) => void, signal: AbortSignal): Promise<void>;
}

Object.assign(globalThis, {
  window: globalThis,
  document: { removeEventListener: () => undefined },
});

async function recipeListener(packageName: string): Promise<Client['listen']> {
  const { where, code } = blockWith('docs/clients.md', '@microsoft/fetch-event-source');
  const block = {
    where: `${where} with ${packageName}`,
    language: 'ts',
    code: code.replace('@microsoft/fetch-event-source', packageName),
  };
  const { follow } = (await import(writeBlock(block))) as Recipe;
  return (url) => {
    const abort = new AbortController();
    const events: ReceivedEvent[] = [];
    const state = { hasEnded: false };
    follow(url, (event) => events.push(event), abort.signal).catch(() => (state.hasEnded = true));
    return Object.assign(state, { events, close: () => abort.abort() });
  };
}

const AS_THE_STANDARD = {
  keepsIdOfFrames: true,
  keepsIdAtItsLine: false,
  returnsAfter502: false,
  withWideId: 'never returns',
} as const;

/** `eventsource` 1 and 2. */
const OLD = {
  ...AS_THE_STANDARD,
  keepsIdAtItsLine: true,
  returnsAfter502: true,
  withWideId: 'throws',
} as const;

const RECIPE = { ...AS_THE_STANDARD, keepsIdAtItsLine: true, returnsAfter502: true } as const;

/** Clients from npm that run on Node. */
export const NODE_CLIENTS: readonly Client[] = [
  { name: 'eventsource 1', listen: listenerOf(EventSource1), ...OLD },
  { name: 'eventsource 2', listen: listenerOf(EventSource2), ...OLD },
  {
    name: 'eventsource 3',
    listen: listenerOf(EventSource3),
    ...AS_THE_STANDARD,
    keepsIdOfFrames: false,
  },
  {
    name: 'eventsource 4',
    listen: listenerOf(EventSource4),
    ...AS_THE_STANDARD,
    keepsIdOfFrames: false,
  },
  { name: 'undici', listen: listenerOf(UndiciEventSource), ...AS_THE_STANDARD },
  {
    name: '@microsoft/fetch-event-source',
    listen: await recipeListener('@microsoft/fetch-event-source'),
    ...RECIPE,
  },
  {
    name: '@fortaine/fetch-event-source',
    listen: await recipeListener('@fortaine/fetch-event-source'),
    ...RECIPE,
  },
];
