import { appendOrSkip } from '../../channel/event-check.js';
import type { ChannelSink, OutgoingEvent, ResetReason } from '../../channel/source.js';
import type { SseError } from '../../channel/sse-error.js';
import type { KeyOptions } from './cache-options.js';
import type { KeyEvent, PollRate } from './key-store.js';

/** One channel that a key feeds. */
export interface Outlet {
  readonly sink: ChannelSink;
  readonly options: KeyOptions;
  /** Whether the channel follows the store's stream, which brings its values: none is appended here. */
  readonly follows: boolean;
  read: boolean;
}

/** All channels that one key feeds. It knows what they want together, and hands each its events. */
export class KeyOutlets {
  private readonly outlets = new Set<Outlet>();

  get size(): number {
    return this.outlets.size;
  }

  /** The shortest interval of all channels; infinite when nobody reads the key. */
  get interval(): number {
    return this.least('interval');
  }

  get maxInterval(): number {
    return this.least('maxInterval');
  }

  /** The mode in which to read the key now; `undefined` when nobody reads it. */
  get mode(): 'take' | 'watch' | undefined {
    let mode: 'take' | 'watch' | undefined;
    for (const outlet of this.outlets) {
      if (outlet.read && mode !== 'take') {
        mode = outlet.options.mode;
      }
    }
    return mode;
  }

  /** How often one instance should poll the key for all; `undefined` when this instance polls for itself. */
  get sharedRate(): PollRate | undefined {
    if (this.mode !== 'take') {
      return undefined;
    }
    for (const { read, options } of this.outlets) {
      if (read && options.mode === 'take' && options.poller === 'each') {
        return undefined;
      }
    }
    return { interval: this.interval, maxInterval: this.maxInterval };
  }

  add(outlet: Outlet): void {
    this.outlets.add(outlet);
  }

  remove(outlet: Outlet): void {
    this.outlets.delete(outlet);
    outlet.read = false;
  }

  clear(): void {
    this.outlets.clear();
  }

  /**
   * Appends the event to each channel that does not follow the store's stream. If the event cannot be
   * sent, the channel gets a reset in its place.
   * @returns the reason why the event was left out
   */
  publish(event: KeyEvent): SseError | undefined {
    let refusal: SseError | undefined;
    for (const { sink, options, follows } of this.outlets) {
      if (!follows) {
        appendOrSkip(sink, sourceEvent(event, options), (error) => (refusal = error));
      }
    }
    return refusal;
  }

  /** Resets each channel that does not follow the store's stream. */
  reset(reason: ResetReason): void {
    this.outlets.forEach(({ sink, follows }) => follows || sink.reset(reason));
  }

  /** Whether this channel, of all that follow the stream, passes its values on to those that do not. */
  passesOn(outlet: Outlet): boolean {
    for (const other of this.outlets) {
      if (other.follows) {
        return other === outlet;
      }
    }
    return true;
  }

  private least(option: 'interval' | 'maxInterval'): number {
    let least = Infinity;
    for (const { options, read } of this.outlets) {
      least = read ? Math.min(least, options[option]) : least;
    }
    return least;
  }
}

/** Makes an event of the key into one for a channel with these options. */
export function sourceEvent({ data, type, id }: KeyEvent, options: KeyOptions): OutgoingEvent {
  return {
    data,
    type: type ?? options.type,
    id,
    end: options.doneSignal === data ? true : undefined,
  };
}
