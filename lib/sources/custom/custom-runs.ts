import { isPromise } from 'node:util/types';
import { atOnce } from '../../channel/at-once.js';
import { withDeadline } from '../../channel/deadline.js';
import type { Guard } from '../../channel/guard.js';
import { reasonOf } from '../../channel/reason.js';
import type { AppendResult, RunChunk, RunRecord, RunStore } from '../../channel/runs.js';
import { kindOf, shown } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';

/** How long the application's store may take for an answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

type Method = keyof RunStore;
const METHODS: readonly Method[] = ['begin', 'append', 'end', 'find', 'read', 'follow', 'close'];
const RESULTS: readonly AppendResult[] = ['appended', 'ended', 'gone'];

/**
 * The store of runs of the application's broker, held to its contract.
 * @throws SseError `INVALID_OPTION` when `openRuns()` returned no store
 */
export function checkedRuns(store: RunStore, guard: Guard): RunStore {
  const given = Object(store) as Partial<RunStore>;
  const missing = METHODS.find((name) => typeof given[name] !== 'function');
  if (missing) {
    throw new SseError(
      'INVALID_OPTION',
      `The broker's openRuns() returned ${isPromise(store) ? 'a promise' : `${kindOf(store)} without ${missing}()`}. ` +
        `It must return an object with ${METHODS.join('(), ')}() at once, and connect in its own time.`,
    );
  }
  return {
    begin: (run) => answerTo('begin', async () => checkedRecord(await store.begin(run))),
    append: (append) =>
      answerTo('append', async () => {
        const result = await store.append(append);
        if (!RESULTS.includes(result)) {
          throw new TypeError(`It answered ${shown(result)}; it must be one of ${RESULTS.join()}.`);
        }
        return result;
      }),
    end: (run, chunks, isLost) => answerTo('end', () => store.end(run, chunks, isLost)),
    find: (channel, id) =>
      answerTo('find', async () => {
        const record = await store.find(channel, id);
        return record ? checkedRecord(record) : undefined;
      }),
    read: (run, after, limit) =>
      answerTo('read', async () => checkedChunks(await store.read(run, after, limit))),
    follow(run, onChunks) {
      const end: unknown = atOnce(store.follow(run, onChunks));
      if (typeof end !== 'function') {
        throw new SseError(
          'INVALID_OPTION',
          `follow() of the broker's store of runs returned ${kindOf(end)}; it must return a function that ends it.`,
        );
      }
      return guard.wrap("The end of the run store's follow()", end as () => unknown);
    },
    close: () => answerTo('close', () => store.close()),
  };
}

function checkedRecord(record: RunRecord): RunRecord {
  const { id, head, leaseLeft } = Object(record) as Partial<RunRecord>;
  if (typeof id !== 'string' || typeof head !== 'number' || typeof leaseLeft !== 'number') {
    throw new TypeError('It must answer { channel, id, format, head, hasEnded, leaseLeft }.');
  }
  return record;
}

function checkedChunks(
  chunks: readonly RunChunk[] | null | undefined,
): readonly RunChunk[] | undefined {
  if (chunks && !Array.isArray(chunks)) {
    throw new TypeError(
      `It answered ${kindOf(chunks)}; it must be an array of chunks, or undefined where the run is gone.`,
    );
  }
  return chunks ?? undefined;
}

/** @throws SseError `UNAVAILABLE` for any error that is not an SseError, and without an answer in time */
async function answerTo<T>(method: Method, call: () => Promise<T>): Promise<T> {
  const what = `${method}() of the broker's store of runs`;
  try {
    return await withDeadline(Promise.resolve(call()), ANSWER_TIMEOUT_MS, what);
  } catch (cause) {
    throw cause instanceof SseError
      ? cause
      : new SseError('UNAVAILABLE', `${what} failed: ${reasonOf(cause)}`, { cause });
  }
}
