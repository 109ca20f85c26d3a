import { backoff } from '../../channel/backoff.js';
import { withDeadline } from '../../channel/deadline.js';
import { appendOrSkip } from '../../channel/event-check.js';
import { LimitedLog } from '../../channel/limited-log.js';
import { Outage } from '../../channel/outage.js';
import { reasonOf } from '../../channel/reason.js';
import type { Polls } from '../../channel/tally.js';
import { textOf } from '../../channel/value-text.js';
import type { ChannelSink } from '../../channel/source.js';
import type { PollLog } from './poll-log.js';
import type { PollSettings } from './poll.options.js';

/** The longest wait after a failed read, in milliseconds, unless the interval is longer. */
const MAX_RETRY_MS = 30_000;

/** Calls one function again and again, each time after the call before has settled. */
export class PollLoop {
  private timer: NodeJS.Timeout | undefined;
  private reading = false;
  private running = false;
  private closed = false;
  private started = false;
  private failures = 0;
  private readonly outage: Outage;
  /** The time in which the function returns values that cannot be sent, such as a BigInt. */
  private readonly skipping: Outage;
  private readonly polls: Polls;

  constructor(
    private readonly read: () => unknown,
    private readonly options: PollSettings,
    private readonly sink: ChannelSink,
    log: PollLog,
  ) {
    const own = log.ofOne();
    this.outage = new Outage(own, 'poll');
    this.polls = own.tally.polls.poll;
    // Good and bad values may take turns.
    this.skipping = new Outage(new LimitedLog(own));
  }

  resume(): void {
    if (this.running || this.closed) {
      return;
    }
    this.running = true;
    if (!this.reading) {
      this.schedule(this.started || this.options.immediate ? 0 : this.options.interval);
    }
    this.started = true;
  }

  pause(): void {
    this.running = false;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  close(): void {
    this.closed = true;
    this.pause();
    this.outage.drop();
  }

  private schedule(delay: number): void {
    this.timer = setTimeout(() => void this.turn(), delay).unref();
  }

  private async turn(): Promise<void> {
    this.reading = true;
    let value: unknown;
    let delay = this.options.interval;
    const { read } = this;
    this.polls.done++;
    try {
      // A value that comes later is dropped: the next read has overtaken it.
      value = await withDeadline(
        (async () => read())(),
        this.options.timeout,
        'The polled function',
      );
      this.failures = 0;
      this.outage.end('Polling works again.');
    } catch (error) {
      delay = this.failed(error);
    }
    this.reading = false;
    if (!this.closed && value !== undefined && value !== null) {
      this.append(value);
    }
    if (this.running) {
      this.schedule(delay);
    }
  }

  private append(value: unknown): void {
    const { type, doneSignal, serialize } = this.options;
    let data: string;
    try {
      data = textOf(value, serialize);
    } catch (error) {
      this.beginSkipping(error);
      this.sink.reset('skipped-event');
      return;
    }
    const end = value === doneSignal ? true : undefined;
    let isSkipped = false;
    appendOrSkip(this.sink, { data, type, end }, (error) => {
      isSkipped = true;
      this.beginSkipping(error);
    });
    if (!isSkipped) {
      this.skipping.end('Polled values can be sent again.');
    }
  }

  /** Logs the first of several values in a row that cannot be sent: each read may give it again. */
  private beginSkipping(error: unknown): void {
    this.skipping.begin(
      `A polled value was left out: ${reasonOf(error)} Clients receive sse:reset for this value ` +
        'and for each that follows it and cannot be sent.',
    );
  }

  /** Returns how long to wait before the next read. */
  private failed(error: unknown): number {
    this.polls.failed++;
    if (!this.closed) {
      this.outage.begin(
        `Polling failed: ${reasonOf(error)}. The stream stays open, and polling goes on.`,
      );
    }
    const { interval } = this.options;
    const most = Math.max(interval, MAX_RETRY_MS);
    return Math.max(interval, Math.round(backoff(this.failures++, { first: interval * 2, most })));
  }
}
