import { EventSource as EventSource4 } from 'eventsource';
import EventSource1 from 'eventsource1';
import EventSource2 from 'eventsource2';
import { EventSource as EventSource3 } from 'eventsource3';
import reconnecting from 'reconnecting-eventsource';
import { EventSource as UndiciEventSource } from 'undici';
import { codeBlocks } from '../docs/markdown.js';
import { writeBlock } from '../docs/run-block.js';
import { follow as followByOwn, OWN } from './own-client.js';
import { TYPES, type Client, type ReceivedEvent } from './listening.js';

/** What every EventSource has in common. */
interface EventSourceLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: ReceivedMessage) => void): void;
  close(): void;
}

export interface ReceivedMessage {
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

// Its types are those of its CommonJS file.
const ReconnectingClass = reconnecting as unknown as typeof reconnecting.default;

/** `reconnecting-eventsource`, which makes a new EventSource after one that has ended for good. */
export class ReconnectingEventSource extends ReconnectingClass {
  constructor(url: string) {
    super(url, {
      eventSourceClass: EventSource4 as unknown as typeof EventSource,
      max_retry_time: 50,
    });
  }
}

// What the recipes find in a page.
Object.assign(globalThis, {
  window: globalThis,
  document: { removeEventListener: () => undefined },
  location: { href: 'http://localhost/' },
  EventSource: EventSource4,
});

/** The recipe of the documentation in this language, with some of its text replaced. */
async function recipe<Follow>(language: string, text = '', replacement = ''): Promise<Follow> {
  const { where, code } = codeBlocks('docs/clients.md').find((one) => one.language === language)!;
  const block = {
    where: `${where} ${replacement}`,
    language,
    code: code.replace(text, replacement),
  };
  return ((await import(writeBlock(block))) as { follow: Follow }).follow;
}

const MICROSOFT = '@microsoft/fetch-event-source';
const FORTAINE = '@fortaine/fetch-event-source';

/** The recipe for `fetch-event-source`. */
async function fetchListener(packageName: string): Promise<Client['listen']> {
  type Follow = (
    url: string,
    onEvent: (event: ReceivedEvent) => void,
    signal: AbortSignal,
  ) => Promise<void>;
  const follow = await recipe<Follow>('ts', MICROSOFT, packageName);
  return (url) => {
    const abort = new AbortController();
    const events: ReceivedEvent[] = [];
    const state = { hasEnded: false };
    follow(url, (event) => events.push(event), abort.signal).catch(() => (state.hasEnded = true));
    return Object.assign(state, { events, close: () => abort.abort() });
  };
}

/** The recipe for an EventSource that goes on. */
async function lastingListener(): Promise<Client['listen']> {
  type Follow = (
    url: string,
    options: {
      onEvent: (event: ReceivedMessage & { type: string }) => void;
      onEnd: () => void;
    },
  ) => () => void;
  const follow = await recipe<Follow>('js');
  return (url) => {
    const events: ReceivedEvent[] = [];
    const state = { hasEnded: false };
    const close = follow(url, {
      onEvent: ({ type, data, lastEventId }) => events.push({ type, data, id: lastEventId }),
      onEnd: () => (state.hasEnded = true),
    });
    return Object.assign(state, { events, close });
  };
}

const ownListener: Client['listen'] = (url) => {
  const events: ReceivedEvent[] = [];
  const state = { hasEnded: false };
  const close = followByOwn(
    url,
    (event) => events.push(event),
    () => (state.hasEnded = true),
  );
  return Object.assign(state, { events, close });
};

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

/** Clients that run on Node: our own, and those from npm. */
export const NODE_CLIENTS: readonly Client[] = [
  { name: 'SseClient', listen: ownListener, ...OWN },
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
  {
    name: 'reconnecting-eventsource',
    listen: listenerOf(ReconnectingEventSource),
    ...AS_THE_STANDARD,
    keepsIdOfFrames: false,
    returnsAfter502: true,
    ignoresEnd: true,
  },
  { name: 'undici', listen: listenerOf(UndiciEventSource), ...AS_THE_STANDARD },
  {
    name: MICROSOFT,
    listen: await fetchListener(MICROSOFT),
    ...RECIPE,
  },
  {
    name: FORTAINE,
    listen: await fetchListener(FORTAINE),
    ...RECIPE,
  },
  {
    name: 'an eventsource 4 that goes on',
    listen: await lastingListener(),
    ...AS_THE_STANDARD,
    keepsIdOfFrames: false,
    returnsAfter502: true,
  },
];
