import { isPromise } from 'node:util/types';
import { atOnce } from '../../channel/at-once.js';
import { withDeadline } from '../../channel/deadline.js';
import type { Guard } from '../../channel/guard.js';
import type { PresenceMember, PresenceStore } from '../../channel/presence.js';
import { reasonOf } from '../../channel/reason.js';
import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';

/** How long the application's store may take for an answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

type Method = keyof PresenceStore;
const METHODS: readonly Method[] = ['put', 'list', 'count', 'watch', 'close'];

/**
 * The store of the application's broker, held to its contract.
 * @throws SseError `INVALID_OPTION` when `openPresence()` returned no store
 */
export function checkedStore(store: PresenceStore, guard: Guard): PresenceStore {
  const given = Object(store) as Partial<PresenceStore>;
  const missing = METHODS.find((name) => typeof given[name] !== 'function');
  if (missing) {
    throw new SseError(
      'INVALID_OPTION',
      `The broker's openPresence() returned ${isPromise(store) ? 'a promise' : `${kindOf(store)} without ${missing}()`}. ` +
        `It must return an object with ${METHODS.join('(), ')}() at once, and connect in its own time.`,
    );
  }
  return {
    put: (seats) => answerTo('put', () => store.put(seats)),
    list: (channel, after, limit) =>
      answerTo('list', async () => {
        const page = await store.list(channel, after, limit);
        if (!Array.isArray(Object(page).members)) {
          throw new TypeError('It must answer { members, connections }.');
        }
        page.members.forEach(checkInfo);
        return page;
      }),
    count: (channel) =>
      answerTo('count', async () => {
        const { members, connections } = await store.count(channel);
        return { members, connections };
      }),
    watch(channel, onChange) {
      const end = watched(() => store.watch(channel, onChange));
      if (typeof end !== 'function') {
        throw new SseError(
          'INVALID_OPTION',
          `watch() of the broker's presence store returned ${kindOf(end)}; it must return a function that ends it.`,
        );
      }
      return guard.wrap("The end of the presence store's watch()", end as () => unknown);
    },
    close: (leaveAfter) => answerTo('close', () => store.close(leaveAfter)),
  };
}

/** @throws SseError `UNAVAILABLE` for any error that is not an SseError, and without an answer in time */
async function answerTo<T>(method: Method, call: () => Promise<T>): Promise<T> {
  const what = `${method}() of the broker's presence store`;
  try {
    return await withDeadline(Promise.resolve(call()), ANSWER_TIMEOUT_MS, what);
  } catch (cause) {
    throw failed(what, cause);
  }
}

function watched(watch: () => unknown): unknown {
  try {
    return atOnce(watch());
  } catch (cause) {
    throw failed("watch() of the broker's presence store", cause);
  }
}

function failed(what: string, cause: unknown): SseError {
  return cause instanceof SseError
    ? cause
    : new SseError('UNAVAILABLE', `${what} failed: ${reasonOf(cause)}`, { cause });
}

/** @throws TypeError for an `info` that is no JSON */
function checkInfo({ info }: PresenceMember): void {
  try {
    if (info !== undefined) {
      JSON.parse(info);
    }
  } catch {
    // The error may repeat the content.
    throw new TypeError('The `info` of a member must be JSON, or left out.');
  }
}
