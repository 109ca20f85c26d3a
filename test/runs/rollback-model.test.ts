import { afterAll, beforeAll, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Broker } from '../../lib/index.js';
import type {
  AppendResult,
  OnChunks,
  RunAppend,
  RunChunk,
  RunName,
  RunRecord,
  RunStore,
} from '../../lib/channel/runs.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { holds } from '../support/property.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ChatsController } from './chats.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const turns = async (count: number): Promise<void> => {
  for (let nth = 0; nth < count; nth++) await turn();
};

interface Kept {
  readonly channel: string;
  readonly chunks: RunChunk[];
  readonly followers: Set<OnChunks>;
  hasEnded: boolean;
}

/**
 * A store that can lose its newest chunks. Its answers and its news take some turns of the event loop; some
 * answers are from before that, and some news do not come, which followers then hear.
 */
class RollingRuns implements RunStore {
  readonly runs = new Map<string, Kept>();
  /** Numbers that decide how long things take. */
  dice: readonly number[] = [0];
  private throws = 0;

  async begin(): Promise<RunRecord> {
    throw new Error('The test begins the runs.');
  }

  async append({ id, after, chunks }: RunAppend): Promise<AppendResult> {
    const run = this.runs.get(id)!;
    if (after > run.chunks.length) return 'gone';
    if (run.hasEnded) return 'ended';
    this.add(run, chunks.slice(run.chunks.length - after));
    return 'appended';
  }

  async end({ id }: RunName, chunks: readonly RunChunk[], isLost: boolean): Promise<boolean> {
    const run = this.runs.get(id)!;
    if (!run.hasEnded && !isLost) this.add(run, chunks);
    return run.hasEnded;
  }

  async find(channel: string, id = channel.slice('chat:'.length)): Promise<RunRecord | undefined> {
    return this.answer(() => {
      const run = this.runs.get(id)!;
      const { hasEnded } = run;
      return { channel, id, format: 'default', head: run.chunks.length, hasEnded, leaseLeft: 120 };
    });
  }

  async read(
    { id }: RunName,
    after: number,
    limit: number,
  ): Promise<readonly RunChunk[] | undefined> {
    return this.answer(() => {
      const { chunks } = this.runs.get(id)!;
      return after > chunks.length ? undefined : chunks.slice(after, after + limit);
    });
  }

  follow({ id }: RunName, onChunks: OnChunks): () => void {
    const { followers } = this.runs.get(id)!;
    followers.add(onChunks);
    void turn().then(() => followers.has(onChunks) && onChunks());
    return () => followers.delete(onChunks);
  }

  async close(): Promise<void> {}

  lose(id: string, count: number): void {
    const run = this.runs.get(id)!;
    run.chunks.splice(Math.max(0, run.chunks.length - count));
    this.tell(run);
  }

  private add(run: Kept, chunks: readonly RunChunk[]): void {
    const after = run.chunks.length;
    run.chunks.push(...chunks);
    run.hasEnded = chunks.at(-1)?.end === true;
    this.tell(run, after, chunks);
  }

  private tell({ followers }: Kept, after?: number, chunks?: readonly RunChunk[]): void {
    for (const onChunks of followers) {
      const dice = this.throwDice();
      const isMissed = dice % 4 === 3;
      void turns(dice).then(
        () => followers.has(onChunks) && (isMissed ? onChunks() : onChunks(after, chunks)),
      );
    }
  }

  private async answer<T>(look: () => T): Promise<T> {
    const dice = this.throwDice();
    const early = look();
    await turns(dice);
    return dice % 2 ? early : look();
  }

  private throwDice(): number {
    return this.dice[this.throws++ % this.dice.length]!;
  }
}

const DONE: RunChunk = { data: '[DONE]', end: true };
const ended = (type: string): RunChunk[] => [
  { data: '{"reason":"lost"}', type, ending: 1 },
  { ...DONE, ending: 2 },
];

type Act =
  | { readonly write: number }
  /** The store has these chunks, and their writer has no answer. */
  | { readonly writeUnanswered: number }
  | { readonly lose: number }
  | { readonly pause: number }
  | 'connect'
  | 'stop';

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ write: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ writeUnanswered: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ lose: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ pause: fc.integer({ min: 1, max: 60 }) }),
  fc.constant<Act>('connect'),
  fc.constant<Act>('stop'),
);

const store = new RollingRuns();
const broker: Broker = {
  open: (_channel, sink) => (sink.live(), { close: () => undefined }),
  publish: () => Promise.resolve('1'),
  openRuns: () => store,
};
let app: TestApp;

beforeAll(async () => {
  app = await startApp({ controllers: [ChatsController], options: { drainTimeout: 0, broker } });
});
afterAll(closeApps);

const received = ({ events }: SseTestClient) => events.filter(({ type }) => type !== 'sse:open');

it('A run whose store loses chunks is whole for all who follow it, or is over with an error', async () => {
  let count = 0;
  const run = async (acts: readonly Act[], dice: readonly number[]): Promise<void> => {
    const id = `run-${++count}`;
    const name = { channel: `chat:${id}`, id };
    store.dice = dice;
    store.runs.set(id, {
      channel: name.channel,
      chunks: [],
      followers: new Set(),
      hasEnded: false,
    });
    const clients: Promise<SseTestClient>[] = [];
    const connect = () => clients.push(app.connect(`/chats/${id}`, { deadline: 20_000 }));
    const texts = (from: number, many: number): RunChunk[] =>
      Array.from({ length: many }, (_, nth) => ({ data: `${from + nth + 1}` }));
    let head = 0;
    let outcome: 'active' | 'whole' | 'ended' = 'active';
    const write = async (chunks: RunChunk[]): Promise<void> => {
      if ((await store.append({ ...name, after: head, chunks })) === 'appended') {
        head += chunks.length;
      } else if (outcome === 'active') {
        outcome = 'ended';
        await store.end(name, ended('sse:error'), false);
      }
    };
    connect();
    await clients[0];
    for (const each of acts) {
      if (outcome !== 'active') break;
      if (each === 'connect') connect();
      else if (each === 'stop') {
        outcome = 'ended';
        await store.end(name, ended('sse:stopped'), false);
      } else if ('write' in each) await write(texts(head, each.write));
      else if ('writeUnanswered' in each)
        await store.append({ ...name, after: head, chunks: texts(head, each.writeUnanswered) });
      else if ('lose' in each) store.lose(id, each.lose);
      else await turns(each.pause);
    }
    if (outcome === 'active') {
      await write([...texts(head, 3), DONE]);
      outcome = outcome === 'active' ? 'whole' : outcome;
    }
    const all = await Promise.all(clients);
    const isOver = (client: SseTestClient) => client.events.at(-1)?.data === '[DONE]';
    // Who connects after the end has nothing to read.
    const readers = all.filter(({ opened }) => opened.status === 200);
    await until(() => readers.every(isOver), { deadline: 10_000 });
    for (const client of readers) {
      const events = received(client).map(({ type, data }) => (type === 'message' ? data : type));
      const chunks = events.filter((text) => /^\d+$/.test(text));
      const last = outcome === 'whole' ? head - 1 : chunks.length;
      expect(chunks).toEqual(Array.from({ length: last }, (_, nth) => `${nth + 1}`));
      const end = events.slice(chunks.length);
      if (outcome === 'whole') expect(end).toEqual(['[DONE]']);
      else
        expect(end.filter((text) => text !== 'sse:reset')).toEqual([
          expect.stringMatching(/^sse:(error|stopped)$/),
          '[DONE]',
        ]);
    }
    store.runs.get(id)!.followers.clear();
  };
  await holds(
    fc.asyncProperty(
      fc.array(act, { maxLength: 10 }),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
      run,
    ),
    { quick: 100, soak: 3_000 },
    [
      // The store has the lost chunk again before the reader has asked why it was missing.
      [
        [{ writeUnanswered: 1 }, { lose: 1 }, { pause: 2 }],
        [2, 3, 3, 0],
      ],
      [[{ writeUnanswered: 1 }, { lose: 1 }, 'stop'], [0]],
    ],
  );
});
