import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

/** How often Node looks, in milliseconds: each value that it notes has this time in it. */
const RESOLUTION_MS = 20;

/** How late the event loop is, measured only while somebody wants to know. */
export class LoopDelay {
  private histogram: IntervalHistogram | undefined;

  /** The delay of the worst percent since the last call, in milliseconds; 0 for the first call. */
  read(): number {
    if (!this.histogram) {
      this.histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.histogram.enable();
      return 0;
    }
    const { histogram } = this;
    const delay = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6 - RESOLUTION_MS;
    histogram.reset();
    return Math.max(0, Math.round(delay * 10) / 10);
  }

  stop(): void {
    this.histogram?.disable();
    this.histogram = undefined;
  }
}
