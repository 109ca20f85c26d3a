import { withDeadline } from '../channel/deadline.js';
import type { Authorize } from '../setup/channel-options.js';
import { permissionOf } from './access.js';

/** For how many channels of one request we ask at the same time. */
const MOST_QUESTIONS = 10;
/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 30_000;

/** The channels of a request, by whether its client may read them. */
export interface Decision {
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
}

/**
 * Leaves out the channels that the client is kept from for a time, so that it can have the others.
 * If there are no others, the block decides about the request.
 */
export function withoutBlocked(
  decision: Decision,
  isBlocked: (channel: string) => boolean,
): Decision {
  if (!decision.allowed.some(isBlocked)) {
    return decision;
  }
  const blocked = new Set(decision.allowed.filter(isBlocked));
  return blocked.size === decision.allowed.length
    ? decision
    : {
        allowed: decision.allowed.filter((name) => !blocked.has(name)),
        denied: [...decision.denied, ...blocked],
      };
}

/** Waits for a promise, but no longer than the client is there. */
export type WhileHere = <T>(work: Promise<T>) => Promise<T>;

/** Asks which channels the client may read. */
export type Decide = (names: readonly string[], whileHere: WhileHere) => Promise<Decision>;

/** Asks the application which channels the client of a request may read. */
export class Authorization {
  constructor(
    private readonly authorize: Authorize,
    private readonly request: object,
    /** The endpoint, for messages. */
    private readonly where: string,
    private readonly whileHere: WhileHere,
    private readonly timeout = ANSWER_MS,
  ) {}

  /**
   * Asks about each channel, a few at a time. No answer but true or false allows anything.
   *
   * @throws SseError `INVALID_OPTION` for another answer, `UNAVAILABLE` for none in time; and the
   * application's own error
   */
  async decide(names: readonly string[]): Promise<Decision> {
    const mayRead = new Set<string>();
    let hasFailed = false;
    // The workers share one iterator, so that each name is taken once.
    const waiting = names.values();
    const work = async (): Promise<void> => {
      for (const name of waiting) {
        if (hasFailed) {
          return;
        }
        if (await this.mayRead(name)) {
          mayRead.add(name);
        }
      }
    };
    const workers = Array.from({ length: Math.min(MOST_QUESTIONS, names.length) }, work);
    try {
      await Promise.all(workers);
    } catch (error) {
      hasFailed = true;
      throw error;
    }
    return {
      allowed: names.filter((name) => mayRead.has(name)),
      denied: names.filter((name) => !mayRead.has(name)),
    };
  }

  private async mayRead(name: string): Promise<boolean> {
    const { authorize, request } = this;
    const what = `\`authorize\` of ${this.where}`;
    const asked = (async () => authorize(request, name) as unknown)();
    return permissionOf(await withDeadline(this.whileHere(asked), this.timeout, what), this.where);
  }
}
