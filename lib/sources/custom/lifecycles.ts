import { settledWithin, withDeadline } from '../../channel/deadline.js';
import type { Guard } from '../../channel/guard.js';
import { nameOf } from '../../channel/open-feed.js';
import type { ChannelSource, Lifecycle, SseLogger } from '../../channel/source.js';

/** How long a source of the application's may take to start or to stop, in milliseconds. */
const LIFECYCLE_TIMEOUT_MS = 10_000;

/** Starts and stops the sources and the broker that the application brings. */
export class Lifecycles implements Lifecycle {
  private readonly sources = new Set<ChannelSource & Lifecycle>();
  private isStarted = false;

  constructor(
    private readonly log: SseLogger,
    private readonly guard: Guard,
  ) {}

  /** Takes a source in, once. One that comes after the start is started at once. */
  add(source: ChannelSource): void {
    if (this.sources.has(source)) {
      return;
    }
    this.sources.add(source);
    if (this.isStarted) {
      this.guard.run(`start() of ${nameOf(source)}`, () => this.startOne(source, false));
    }
  }

  /** With `failFast`, what a source fails with fails the start; otherwise it is logged. */
  async start(failFast: boolean): Promise<void> {
    this.isStarted = true;
    for (const source of this.sources) {
      const started = this.startOne(source, failFast);
      if (failFast) {
        await started;
      } else {
        await started.catch((error: unknown) =>
          this.guard.report(`start() of ${nameOf(source)}`, error),
        );
      }
    }
  }

  async stop(): Promise<void> {
    const stopping = [...this.sources].map(async (source) => {
      const stopped = this.guard.run(`stop() of ${nameOf(source)}`, () => source.stop?.());
      if (!(await settledWithin(Promise.resolve(stopped), LIFECYCLE_TIMEOUT_MS))) {
        this.log.warn(
          `stop() of ${nameOf(source)} has not settled within ${LIFECYCLE_TIMEOUT_MS} ms. It is no longer waited for.`,
        );
      }
    });
    await Promise.all(stopping);
  }

  private async startOne(source: ChannelSource & Lifecycle, failFast: boolean): Promise<void> {
    await withDeadline(
      Promise.resolve(source.start?.(failFast, this.log)),
      LIFECYCLE_TIMEOUT_MS,
      `start() of ${nameOf(source)}`,
    );
  }
}
