import type { ChannelSink, SseLogger } from '../../channel/source.js';
import { textOf } from '../../channel/value-text.js';

/** What a loop needs of its options. */
export interface PollLoopOptions {
  readonly interval: number;
  readonly type: string | undefined;
  readonly immediate: boolean;
  readonly doneSignal: string | false;
}

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
  private unsendable = false;

  constructor(
    private readonly read: () => unknown,
    private readonly options: PollLoopOptions,
    private readonly sink: ChannelSink,
    private readonly logger: SseLogger,
  ) {}

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
  }

  private schedule(delay: number): void {
    this.timer = setTimeout(() => void this.turn(), delay).unref();
  }

  private async turn(): Promise<void> {
    this.reading = true;
    let value: unknown;
    let delay = this.options.interval;
    try {
      value = await this.read();
      this.succeeded();
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
    try {
      const data = textOf(value);
      const end = value === this.options.doneSignal ? true : undefined;
      this.sink.append({ data, type: this.options.type, end });
      this.unsendable = false;
    } catch (error) {
      if (!this.unsendable) {
        this.unsendable = true;
        this.logger.error(`A polled value was left out. ${(error as Error).message}`);
      }
    }
  }

  private succeeded(): void {
    if (this.failures > 0) {
      this.failures = 0;
      this.logger.log('Polling works again.');
    }
  }

  /** Returns how long to wait: twice as long after each failure, shortened at random. */
  private failed(error: unknown): number {
    if (this.failures++ === 0) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.error(`Polling failed: ${reason}. The stream stays open; it is retried.`);
    }
    const { interval } = this.options;
    const longest = Math.max(
      interval,
      Math.min(MAX_RETRY_MS, interval * 2 ** Math.min(this.failures, 20)),
    );
    return Math.max(interval, Math.round(longest * (0.5 + Math.random() / 2)));
  }
}
