import { monotonicNow } from '../../channel/clock.js';
import { isCounted, type ListenedEvent } from './listened-event.js';

/** Counts what a stream brings. */
export class Tally {
  /** The events of the application. */
  events = 0;
  private bytes = 0;
  private resets = 0;
  private returns = 0;
  private readonly since = monotonicNow();
  /** Where the last report stands. */
  private mark = { at: this.since, events: 0 };

  note(event: ListenedEvent): void {
    if (isCounted(event)) {
      this.events++;
      this.bytes += Buffer.byteLength(event.data);
    } else if (event.type === 'sse:reset') {
      this.resets++;
    }
  }

  returned(): void {
    this.returns++;
  }

  /** The events since the last report. */
  report(): string {
    const { at, events } = this.mark;
    this.mark = { at: monotonicNow(), events: this.events };
    const count = this.events - events;
    return `${counted(count, 'event')}, ${rateOf(count, this.mark.at - at)}`;
  }

  summary(): string {
    const time = monotonicNow() - this.since;
    return [
      `${counted(this.events, 'event')} of ${counted(this.bytes, 'byte')} in ${(time / 1_000).toFixed(1)} s`,
      rateOf(this.events, time),
      counted(this.returns, 'reconnect'),
      counted(this.resets, 'reset'),
    ].join(', ');
  }
}

function rateOf(count: number, milliseconds: number): string {
  return `${((count * 1_000) / Math.max(milliseconds, 1)).toFixed(1)}/s`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
