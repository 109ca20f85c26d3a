import type { TestApp } from '../support/start-app.js';
import type { ReceivedEvent } from './listening.js';

/** The channels of the streams of `numbers-app.ts`, and which stream has them. */
const CHANNELS = ['plain', 'a', 'b', 'c', 'handled'] as const;

/** What became of the numbered events that were sent. */
export interface Tally {
  readonly lost: string[];
  readonly twice: string[];
  /** Whether each channel's events came in order. */
  readonly ordered: boolean;
  readonly resets: string[];
  /** Messages that nobody sent. */
  readonly foreign: string[];
}

/** Nothing is wrong. */
export const EXACT: Tally = { lost: [], twice: [], ordered: true, resets: [], foreign: [] };

/** Sends events with consecutive numbers to every channel. */
export class NumberedEvents {
  /** How many were sent to each channel. */
  count = 0;

  constructor(private readonly app: TestApp) {}

  /** Sends the next event of each channel. */
  async send(): Promise<void> {
    this.count++;
    for (const channel of CHANNELS) await this.app.sse.send(channel, `${channel} ${this.count}`);
  }

  /** Whether the newest event of every channel is among the given ones. */
  areThere(received: readonly ReceivedEvent[]): boolean {
    const data = new Set(received.map((event) => event.data));
    return CHANNELS.every((channel) => data.has(`${channel} ${this.count}`));
  }

  /** Compares what was received with what was sent. */
  tally(received: readonly ReceivedEvent[]): Tally {
    const data = received.filter(({ type }) => type === 'message').map((event) => event.data);
    const sent = CHANNELS.flatMap((channel) =>
      Array.from({ length: this.count }, (_, i) => `${channel} ${i + 1}`),
    );
    const got = new Set(data);
    const all = new Set(sent);
    return {
      lost: sent.filter((one) => !got.has(one)),
      twice: data.filter((one, index) => data.indexOf(one) !== index),
      ordered: CHANNELS.every((channel) => isRising(data, channel)),
      resets: received.filter(({ type }) => type === 'sse:reset').map((event) => event.data),
      foreign: data.filter((one) => !all.has(one)),
    };
  }
}

function isRising(data: readonly string[], channel: string): boolean {
  let last = 0;
  for (const one of data) {
    if (!one.startsWith(`${channel} `)) continue;
    const number = Number(one.slice(channel.length + 1));
    if (number < last) return false;
    last = number;
  }
  return true;
}
