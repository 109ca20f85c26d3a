import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../channel/backoff.js';
import type { EventLine } from './event-lines.js';
import { requestOf, type EventAnswer, type Fault } from './publish-request.js';
import type { PublishSettings } from './publish.options.js';

/** The pauses before an event is sent again, in milliseconds. */
const RETRY = { first: 500, most: 15_000 };
/** What a server may ask us to wait at most, in milliseconds. */
const MOST_AFTER_MS = 300_000;
/** Statuses of what another attempt may mend. 0: there was no answer. */
const PASSING = new Set([0, 408, 425, 429, 502, 503, 504]);
/** Statuses of what was not taken for sure. */
const UNTOUCHED = new Set([429]);
const TOO_LARGE = 413;

/** Publishes events, a request at a time, and again what was not taken. */
export class Publishing {
  /** Why no request is any use, if it is so. */
  refusal: Fault | undefined;

  /** @param tell hears what has become of each event, once */
  constructor(
    private readonly settings: PublishSettings,
    private readonly tell: (line: EventLine, answer: EventAnswer) => void,
    private readonly warn: (text: string) => void,
    private readonly signal: AbortSignal,
  ) {}

  /** Publishes events together. Rejects only when the signal is aborted. */
  async publish(lines: readonly EventLine[]): Promise<void> {
    let left = lines;
    for (let attempt = 0; left.length > 0; attempt++) {
      const { results, fault, after } = await requestOf(this.settings, left, this.signal);
      if (fault?.statusCode === TOO_LARGE && left.length > 1) {
        const middle = left.length >> 1;
        await this.publish(left.slice(0, middle));
        await this.publish(left.slice(middle));
        return;
      }
      const failed = { status: 'failed', error: fault! } as const;
      const answers = left.map((line, nth) => ({ line, answer: results?.[nth] ?? failed }));
      const again = answers.filter(({ line, answer }) => this.isWorthIt(line, answer, attempt));
      for (const one of answers) {
        if (!again.includes(one)) this.tell(one.line, one.answer);
      }
      if (fault && again.length === 0 && fault.statusCode !== TOO_LARGE) {
        // The next would fare alike.
        this.refusal = fault;
        return;
      }
      left = again.map(({ line }) => line);
      if (left.length > 0) {
        const asked = Math.min(after > 0 ? after : 0, MOST_AFTER_MS);
        const wait = Math.max(asked, backoff(attempt, RETRY));
        const { message } = fault ?? (again[0]!.answer as typeof failed).error;
        this.warn(`${message} Again in ${Math.round(wait)} ms.`);
        await sleep(wait, undefined, { signal: this.signal });
      }
    }
  }

  /** Whether to send an event again. What may have arrived needs a key. */
  private isWorthIt({ event }: EventLine, answer: EventAnswer, attempt: number): boolean {
    if (answer.status === 'sent' || attempt >= this.settings.retries) {
      return false;
    }
    const { statusCode } = answer.error;
    return event['idempotencyKey'] === undefined
      ? UNTOUCHED.has(statusCode)
      : PASSING.has(statusCode);
  }
}
