import { monitorEventLoopDelay } from 'node:perf_hooks';

export const CHANNELS = 1_000;
/** Events of each channel in a second. */
export const RATE = 50;
const TICK_MS = 10;
const PER_TICK = (CHANNELS * RATE * TICK_MS) / 1_000;

/** What is measured. */
export interface Peer {
  emit(channel: number): void;
  /** How many events have arrived. */
  read(): number;
}

/** What a slice of time took. */
export interface Slice {
  readonly micros: number;
  readonly events: number;
  readonly p99Ms: number;
}

/** Has a peer emit at the rate, for a second at a time. */
export class Measure {
  private emitted = 0;

  constructor(private readonly peer: Peer) {}

  async slice(): Promise<Slice> {
    const { peer, emitted } = this;
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const cpu = process.cpuUsage();
    delay.enable();
    await this.emitFor(1_000);
    while (peer.read() < this.emitted) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    delay.disable();
    const { user, system } = process.cpuUsage(cpu);
    const p99Ms = delay.percentile(99) / 1e6;
    return { micros: user + system, events: this.emitted - emitted, p99Ms };
  }

  /** Emits what is due for each tick. A tick that is late gets no more: it would be a burst. */
  private async emitFor(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let next = performance.now(); next < until;) {
      for (let n = 0; n < PER_TICK; n++) {
        this.peer.emit(this.emitted++ % CHANNELS);
      }
      next = Math.max(next + TICK_MS, performance.now());
      await new Promise((resolve) => setTimeout(resolve, next - performance.now()));
    }
  }
}
